package store

import (
	"context"
	"reflect"

	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun"
)

// Repository is the rows of T's table, T being a struct with bun's tags. It is
// safe for concurrent use if its session is; embed it to add finders:
//
//	type Users struct{ *store.Repository[User] }
type Repository[T any] struct {
	session Session
	model   *model
}

// NewRepository returns the repository of T in a session. A T that is no model,
// or whose table is not in the configuration, fails with invalid or
// unknown_table. It asks no database.
func NewRepository[T any](s Session) (*Repository[T], error) {
	m, err := modelOf[T](s.target())
	if err != nil {
		return nil, err
	}
	if err := s.target().registry.admit(m.Name, false); err != nil {
		return nil, err
	}
	return &Repository[T]{session: s, model: m}, nil
}

// In returns the same repository in another session of the same target: that of
// a transaction.
func (r *Repository[T]) In(s Session) *Repository[T] {
	return &Repository[T]{session: s, model: r.model}
}

// Find returns the row with a primary key, whose columns are in the order of
// T's fields. None is job.ErrNotFound.
func (r *Repository[T]) Find(ctx context.Context, key ...any) (*T, error) {
	if len(key) != len(r.model.key) || len(key) == 0 {
		return nil, job.Permanent(job.CodeInvalid, "the primary key of %s has %d columns, not %d", r.model.TypeName, len(r.model.key), len(key))
	}
	opts := make([]SelectOption, len(key))
	for i, column := range r.model.key {
		opts[i] = Eq(column, key[i])
	}
	return SelectOne[T](ctx, r.session, opts...)
}

// FindBy returns the first row that meets all conditions, as SelectOne does.
// None is job.ErrNotFound.
func (r *Repository[T]) FindBy(ctx context.Context, opts ...SelectOption) (*T, error) {
	return SelectOne[T](ctx, r.session, opts...)
}

// FindAll returns the rows that meet all conditions, as SelectMany does.
func (r *Repository[T]) FindAll(ctx context.Context, opts ...SelectOption) ([]T, error) {
	return SelectMany[T](ctx, r.session, opts...)
}

// Count returns how many rows meet all conditions.
func (r *Repository[T]) Count(ctx context.Context, conds ...Cond) (int64, error) {
	return Count[T](ctx, r.session, conds...)
}

// Exists reports whether some row meets all conditions.
func (r *Repository[T]) Exists(ctx context.Context, conds ...Cond) (bool, error) {
	return Exists[T](ctx, r.session, conds...)
}

// Create inserts a row and fills in what the database has decided, as InsertOne
// does. A key that is there already is job.ErrExists.
func (r *Repository[T]) Create(ctx context.Context, row *T, opts ...InsertOption) error {
	_, err := InsertOne(ctx, r.session, row, opts...)
	return err
}

// CreateMany inserts rows, all or none, as InsertMany does.
func (r *Repository[T]) CreateMany(ctx context.Context, rows []T, opts ...InsertOption) error {
	_, err := InsertMany(ctx, r.session, rows, opts...)
	return err
}

// Update writes the named columns of a row, which is found by its primary key;
// without names, all but the key and those tagged skipupdate. Fields that are
// nil, or zero and tagged nullzero, become NULL. None is job.ErrNotFound.
func (r *Repository[T]) Update(ctx context.Context, row *T, columns ...string) error {
	strct, where, err := r.known(row)
	if err != nil {
		return err
	}
	for _, name := range columns {
		if !r.model.HasField(name) {
			return job.Permanent(job.CodeUnknownColumn, "%s has no field for column %q", r.model.TypeName, name)
		}
	}
	writer := r.session.target().writer
	if err := r.model.beforeWrite(ctx, row, func() bun.Query { return writer.NewUpdate().Model(row) }); err != nil {
		return err
	}
	_, err = UpdateOne[T](ctx, r.session, rowChange(strct, columns), where, Require())
	return err
}

// Delete deletes a row, which is found by its primary key. None is
// job.ErrNotFound.
func (r *Repository[T]) Delete(ctx context.Context, row *T) error {
	_, where, err := r.known(row)
	if err != nil {
		return err
	}
	_, err = DeleteOne[T](ctx, r.session, where, Require())
	return err
}

// known returns a row's struct, and the condition that finds it.
func (r *Repository[T]) known(row *T) (strct reflect.Value, where Cond, err error) {
	if row == nil {
		return strct, where, job.Permanent(job.CodeInvalid, "there is no %s", r.model.TypeName)
	}
	strct = reflect.ValueOf(row).Elem()
	where, err = r.model.identity(strct)
	return strct, where, err
}

// UpdateBy changes the rows that meet all conditions, as UpdateMany does.
func (r *Repository[T]) UpdateBy(ctx context.Context, opts ...UpdateOption) (int64, error) {
	return UpdateMany[T](ctx, r.session, opts...)
}

// DeleteBy deletes the rows that meet all conditions, as DeleteMany does.
func (r *Repository[T]) DeleteBy(ctx context.Context, opts ...DeleteOption) (int64, error) {
	return DeleteMany[T](ctx, r.session, opts...)
}
