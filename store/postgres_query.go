package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/asyncops/asyncops/dbop"
)

func (postgres) placeholder(n int, _ dbop.Param) string { return "$" + strconv.Itoa(n) }

// argument is text, which the server reads by the rules of the type that it has
// found for the parameter.
func (postgres) argument(v dbop.Value, p dbop.Param) (any, error) {
	c := paramColumn(p)
	if err := checkText(v, c); err != nil {
		return nil, err
	}
	switch {
	case v.Kind == dbop.Null:
		return nil, nil //nolint:nilnil // NULL is a value
	case p.Type == dbop.ParamBytes:
		return []byte(v.Text), nil
	case p.Type == dbop.ParamJSON:
		return asJSON(v, c)
	case p.Type == dbop.ParamTime:
		t, ok := dbop.ParseTime(v.Text)
		if !ok {
			return nil, unfit(c, "not a time")
		}
		return t.UTC().Format(localTimeLayout + "Z07:00"), nil // a timestamp without a zone drops ours
	}
	return v.Text, nil
}

// postgresTypes remembers the types of answers by their OIDs.
type postgresTypes struct {
	mu    sync.Mutex
	known map[uint32]columnInfo // class, declared and element; guarded by mu
}

// Argument: a list of OIDs.
const describeTypes = `SELECT t.oid::bigint, t.typname::text, t.typcategory::text, t.typtype::text, format_type(t.oid, NULL),
	COALESCE(b.typname, e.typname, '')::text, COALESCE(b.typcategory, e.typcategory, 'U')::text, COALESCE(b.typtype, e.typtype, 'b')::text
FROM pg_catalog.pg_type AS t LEFT JOIN pg_catalog.pg_type AS e ON e.oid = t.typelem LEFT JOIN pg_catalog.pg_type AS b ON b.oid = NULLIF(e.typbasetype, 0)
WHERE t.oid IN (%s)`

func (d postgres) describeRows(ctx context.Context, db querier, types []*sql.ColumnType) ([]columnInfo, error) {
	oids := make([]uint32, len(types))
	for i, typ := range types {
		oid, err := strconv.ParseUint(typ.DatabaseTypeName(), 10, 32)
		if err != nil {
			return nil, fmt.Errorf("store: type %q of column %q: %w", typ.DatabaseTypeName(), typ.Name(), err)
		}
		oids[i] = uint32(oid)
	}
	if missing := d.types.missing(oids); len(missing) > 0 {
		if err := d.types.learn(ctx, db, missing); err != nil {
			return nil, err
		}
	}
	d.types.mu.Lock()
	defer d.types.mu.Unlock()
	columns := make([]columnInfo, len(types))
	for i, oid := range oids {
		columns[i] = d.types.known[oid] // one that has just been dropped is text in the server's spelling
		columns[i].name = types[i].Name()
	}
	return columns, nil
}

func (p *postgresTypes) missing(oids []uint32) (missing []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, oid := range oids {
		if _, ok := p.known[oid]; !ok {
			missing = append(missing, strconv.FormatUint(uint64(oid), 10))
		}
	}
	return missing
}

func (p *postgresTypes) learn(ctx context.Context, db querier, missing []string) error {
	rows, err := db.QueryContext(ctx, fmt.Sprintf(describeTypes, strings.Join(missing, ", ")))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var oid int64
		var c columnInfo
		var typ, category, kind, elementType, elementCategory, elementKind string
		if err := rows.Scan(&oid, &typ, &category, &kind, &c.declared, &elementType, &elementCategory, &elementKind); err != nil {
			return err
		}
		c.class, c.element = postgresClass(typ, category, kind), postgresClass(elementType, elementCategory, elementKind)
		p.mu.Lock()
		p.known[uint32(oid)] = c
		p.mu.Unlock()
	}
	return rows.Err()
}

// appendValue reads the server's own spelling. A composite stays as it is.
func (postgres) appendValue(b []byte, value any, c columnInfo) []byte {
	text := asText(value)
	switch c.class {
	case classBool:
		return strconv.AppendBool(b, text == "t")
	case classArray:
		if array, rest, ok := appendArray(b, text, c.element); ok && rest == "" {
			return array
		}
		return appendJSONString(b, text)
	case classComposite:
		return appendJSONString(b, text)
	}
	return postgresCodec{}.decode(b, text, c)
}

// appendArray reads an array in the server's spelling, such as {1,NULL,"a b"},
// and writes it as to_json does. Bounds in front of it ([2:3]={…}) are none that
// JSON could tell.
func appendArray(b []byte, text string, element class) (out []byte, rest string, ok bool) {
	if strings.HasPrefix(text, "[") {
		_, text, ok = strings.Cut(text, "=")
		if !ok {
			return b, text, false
		}
	}
	if !strings.HasPrefix(text, "{") {
		return b, text, false
	}
	text = text[1:]
	b = append(b, '[')
	for first := true; ; first = false {
		switch {
		case strings.HasPrefix(text, "}"):
			return append(b, ']'), text[1:], true
		case !first && strings.HasPrefix(text, ","):
			b, text = append(b, ','), text[1:]
		case !first:
			return b, text, false
		}
		if strings.HasPrefix(text, "{") {
			if b, text, ok = appendArray(b, text, element); !ok {
				return b, text, false
			}
			continue
		}
		item, quoted, after, ok := arrayItem(text)
		if !ok {
			return b, text, false
		}
		text = after
		if !quoted && strings.EqualFold(item, "NULL") {
			b = append(b, "null"...)
			continue
		}
		b = appendElement(b, item, element)
	}
}

// arrayItem reads an item up to the comma or brace behind it.
func arrayItem(text string) (item string, quoted bool, rest string, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		end := strings.IndexAny(text, ",}")
		if end < 0 {
			return "", false, "", false
		}
		return text[:end], false, text[end:], true
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), true, text[i+1:], true
		case '\\':
			if i++; i == len(text) {
				return "", true, "", false
			}
		}
		b.WriteByte(text[i])
	}
	return "", true, "", false
}

// appendElement writes an array's element as to_json does.
func appendElement(b []byte, item string, element class) []byte {
	switch element {
	case classInt, classFloat, classDecimal:
		if isNumber(item) {
			return append(b, item...)
		}
	case classBool:
		return strconv.AppendBool(b, item == "t")
	case classTime, classLocalTime:
		if day, clock, ok := strings.Cut(item, " "); ok {
			item = day + "T" + clock
			if element == classTime && len(clock) > 3 && strings.LastIndexAny(clock, "+-") == len(clock)-3 {
				item += ":00"
			}
		}
	case classJSON:
		return appendJSONText(b, item)
	}
	return appendJSONString(b, item)
}
