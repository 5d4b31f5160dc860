package ledger

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/uptrace/bun"
)

//go:embed migrations
var migrations embed.FS

// Migration is one step of the schema.
type Migration struct {
	Version int // the number that its name begins with
	Name    string
	SQL     string
}

// Migrations lists the steps of this release for the ledger's database, oldest
// first. They only go up, and leave the schema readable by the release before.
func (l *Ledger) Migrations() []Migration {
	dir := "migrations/" + l.dialect.name
	files, err := fs.Glob(migrations, dir+"/*.sql")
	if err != nil {
		panic("ledger: " + err.Error()) // the pattern is a constant
	}
	steps := make([]Migration, 0, len(files))
	for _, file := range files { // Glob sorts
		text, err := migrations.ReadFile(file)
		if err != nil {
			panic("ledger: " + err.Error()) // it was embedded a moment ago
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, dir+"/"), ".sql")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			panic("ledger: migration " + name + " has no number")
		}
		steps = append(steps, Migration{Version: version, Name: name, SQL: string(text)})
	}
	return steps
}

func (l *Ledger) latestMigration() int {
	steps := l.Migrations()
	return steps[len(steps)-1].Version
}

// migrationLock is the key of PostgreSQL's advisory lock. The lock belongs to
// the transaction, so a crash releases it.
const migrationLock = 7_230_914_465_082_115_191

// Migrate brings the schema up to this release and returns the steps that it
// applied: all of them or none, in one transaction. Any number of processes
// may call it at once; the others wait and find nothing to do.
func (l *Ledger) Migrate(ctx context.Context) ([]Migration, error) {
	var applied []Migration
	err := l.atomically(ctx, func(tx bun.Tx) error {
		applied = nil
		if l.dialect.name == postgres.name { // SQLite's transaction holds the file already
			if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", int64(migrationLock)); err != nil {
				return err
			}
		}
		const table = `CREATE TABLE IF NOT EXISTS asyncops_migrations
			(version integer PRIMARY KEY, name text NOT NULL, applied_at bigint NOT NULL)`
		if _, err := tx.ExecContext(ctx, table); err != nil {
			return err
		}
		var version int
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM asyncops_migrations").Scan(&version); err != nil {
			return err
		}
		for _, step := range l.Migrations() {
			if step.Version <= version {
				continue
			}
			if _, err := tx.ExecContext(ctx, step.SQL); err != nil {
				return fmt.Errorf("migration %s: %w", step.Name, err)
			}
			const record = "INSERT INTO asyncops_migrations (version, name, applied_at) VALUES (?, ?, ?)"
			if _, err := tx.ExecContext(ctx, record, step.Version, step.Name, bun.Safe(l.dialect.now)); err != nil {
				return err
			}
			applied = append(applied, step)
		}
		return nil
	})
	if err != nil {
		return nil, l.wrap(err, "migrate")
	}
	return applied, nil
}

// version is the last step that was applied; zero for an empty database.
func (l *Ledger) version(ctx context.Context) (int, error) {
	var made bool
	if err := l.read.QueryRowContext(ctx, l.dialect.schemaMade).Scan(&made); err != nil || !made {
		return 0, err
	}
	var version int
	err := l.read.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM asyncops_migrations").Scan(&version)
	return version, err
}
