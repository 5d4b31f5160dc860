package store

import (
	"context"
	"encoding/binary"
	"math"
	"reflect"
	"time"

	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/dbop"
)

// CacheFor answers a read from the target's cache, as RunCached does, and keeps
// what it finds for so long; zero is Config.Cache.TTL. In a transaction, and
// where the target has no cache, the database is asked.
func CacheFor(ttl time.Duration) SelectOption {
	return selectOption(func(s *selection) { s.cached, s.ttl = true, ttl })
}

// keptRows is query for a read that the cache may answer. What is kept of rows is
// what the driver gave, which any model with the same columns can read.
func keptRows[T any](ctx context.Context, s Session, space *cache.Space, m *model, op dbop.Op, sel selection, rows []T) ([]T, error) {
	t := s.target()
	entry, columns, err := t.entryOf(ctx, m, op, &sel)
	if err != nil {
		return nil, t.failure(ctx, op, err)
	}
	ttl := sel.ttl
	if ttl == 0 {
		ttl = t.cfg.Cache.TTL
	}
	var read []T // by this call
	loaded := false
	answer, err := space.Get(ctx, entry, func(ctx context.Context, _ []byte) (cache.Value, error) {
		packed := packedRows{data: []byte{packedVersion}}
		var err error
		if read, err = ask(ctx, s, m, op, sel, rows, &packed); err != nil {
			return cache.Value{}, err
		}
		loaded = true
		life := t.life(&Result{Rows: int64(len(read))}, ttl)
		if packed.odd {
			life = 0
		}
		return cache.Value{Data: packed.data, TTL: life}, nil
	})
	switch {
	case err != nil:
		return nil, t.failure(ctx, op, err)
	case loaded:
		return read, nil
	}
	err = unpackRows(ctx, answer.Data, m, columns, func() reflect.Value {
		rows = append(rows, *new(T))
		return reflect.ValueOf(&rows[len(rows)-1]).Elem()
	})
	if err != nil {
		return nil, t.failure(ctx, op, err)
	}
	return rows, nil
}

// entryOf is where the rows of a selection are kept, told from all others by the
// statement with its values, and the columns that they have.
func (t *Target) entryOf(ctx context.Context, m *model, op dbop.Op, sel *selection) (cache.Entry, []columnInfo, error) {
	if err := t.registry.admit(m.Name, false); err != nil {
		return cache.Entry{}, nil, err
	}
	var known *table
	var text string
	var columns []columnInfo
	err := t.retry(ctx, []string{m.Name}, func() (err error) {
		if known, err = t.catalog.last(ctx, m.Name); err == nil {
			columns, text, err = sel.sql(t, m, known, op, false)
		}
		return err
	})
	if err != nil {
		return cache.Entry{}, nil, err
	}
	return cache.Entry{ID: "rows\n" + text, Tags: []string{tagOf(known), everything}}, columns, nil
}

// packedRows are rows as bytes: a version, then value after value.
type packedRows struct {
	data []byte
	odd  bool // some value was of a type that is not packed
}

// packedVersion changes whenever older processes could not read what is packed.
const packedVersion = 1

// What a packed value begins with.
const (
	packedNull = iota
	packedFalse
	packedTrue
	packedInt
	packedUint
	packedFloat32
	packedFloat64
	packedBytes
	packedString
	packedTime
)

func (p *packedRows) add(value any) {
	switch value := value.(type) {
	case nil:
		p.data = append(p.data, packedNull)
	case bool:
		p.data = append(p.data, map[bool]byte{false: packedFalse, true: packedTrue}[value])
	case int64:
		p.data = binary.AppendVarint(append(p.data, packedInt), value)
	case uint64:
		p.data = binary.AppendUvarint(append(p.data, packedUint), value)
	case float32:
		p.data = binary.BigEndian.AppendUint32(append(p.data, packedFloat32), math.Float32bits(value))
	case float64:
		p.data = binary.BigEndian.AppendUint64(append(p.data, packedFloat64), math.Float64bits(value))
	case []byte:
		p.data = append(binary.AppendUvarint(append(p.data, packedBytes), uint64(len(value))), value...)
	case string:
		p.data = append(binary.AppendUvarint(append(p.data, packedString), uint64(len(value))), value...)
	case time.Time:
		text, err := value.MarshalBinary()
		p.odd = p.odd || err != nil
		p.data = append(binary.AppendUvarint(append(p.data, packedTime), uint64(len(text))), text...)
	default:
		p.odd = true
	}
}

// unpackRows reads packed rows into the structs that next returns.
func unpackRows(ctx context.Context, data []byte, m *model, columns []columnInfo, next func() reflect.Value) error {
	if len(data) == 0 || data[0] != packedVersion {
		return errNotPacked
	}
	for data = data[1:]; len(data) > 0; {
		strct := next()
		err := m.scanned(ctx, strct, func() error {
			for _, c := range columns {
				value, rest, err := unpack1(data)
				if err != nil {
					return err
				}
				data = rest
				if err := read(m.FieldMap[c.name], strct, value, c.class); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// unpack1 takes the first value off data. Its bytes are the caller's.
func unpack1(data []byte) (value any, rest []byte, err error) {
	if len(data) == 0 {
		return nil, nil, errNotPacked
	}
	kind, data := data[0], data[1:]
	n := 0
	switch kind {
	case packedNull:
		return nil, data, nil
	case packedFalse, packedTrue:
		return kind == packedTrue, data, nil
	case packedInt:
		value, n = intOf(binary.Varint(data))
	case packedUint:
		value, n = intOf(binary.Uvarint(data))
	case packedFloat32:
		if len(data) >= 4 {
			value, n = math.Float32frombits(binary.BigEndian.Uint32(data)), 4
		}
	case packedFloat64:
		if len(data) >= 8 {
			value, n = math.Float64frombits(binary.BigEndian.Uint64(data)), 8
		}
	case packedBytes, packedString, packedTime:
		length, head := binary.Uvarint(data)
		if head <= 0 || length > uint64(len(data)-head) {
			return nil, nil, errNotPacked
		}
		n = head + int(length)
		text := data[head:n]
		switch kind {
		case packedBytes:
			value = append([]byte{}, text...)
		case packedString:
			value = string(text)
		default:
			var t time.Time
			if err := t.UnmarshalBinary(text); err != nil {
				return nil, nil, errNotPacked
			}
			value = t
		}
	}
	if n <= 0 {
		return nil, nil, errNotPacked
	}
	return value, data[n:], nil
}

func intOf[N int64 | uint64](value N, n int) (any, int) { return value, n }
