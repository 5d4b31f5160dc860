package store

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/pgconn"
)

// postgresCodec writes every value as a quoted constant without a type, which
// the server reads by the rules of the column's own type: nothing is rounded,
// and a value that does not fit is an error. It fetches values as text, for
// the same reason.
type postgresCodec struct{}

func (postgresCodec) literal(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	if err := checkText(v, c); err != nil {
		return b, err
	}
	if v.Kind == dbop.Null {
		return append(b, "NULL"...), nil
	}
	switch c.class {
	case classBytes:
		if v.Kind != dbop.Bytes && v.Kind != dbop.String {
			return b, unfit(c, `bytes are {"$base64": …} or a string`)
		}
		return append(append(append(b, `'\x`...), hex.EncodeToString([]byte(v.Text))...), '\''), nil
	case classJSON:
		text, err := asJSON(v, c)
		return pgconn.AppendLiteral(b, text), err
	case classArray:
		if v.Kind == dbop.JSON {
			text, err := postgresArray(v, c)
			return pgconn.AppendLiteral(b, text), err
		}
	case classLocalTime:
		// The server would ignore a zone here.
		if t, ok := dbop.ParseTime(v.Text); ok && v.Kind == dbop.String {
			return pgconn.AppendLiteral(b, t.UTC().Format(localTimeLayout)), nil
		}
	}
	switch v.Kind {
	case dbop.Bytes:
		return b, unfit(c, "bytes fit a bytea column only")
	case dbop.JSON:
		return b, unfit(c, "an object or array fits a JSON or array column only")
	}
	return pgconn.AppendLiteral(b, v.Text), nil
}

// postgresArray turns a JSON array into the server's spelling: {1,NULL,"a"}.
func postgresArray(v dbop.Value, c columnInfo) (string, error) {
	decoder := json.NewDecoder(strings.NewReader(v.Text))
	decoder.UseNumber()
	var items any
	if err := decoder.Decode(&items); err != nil {
		return "", unfit(c, "not a JSON array")
	}
	list, ok := items.([]any)
	if !ok {
		return "", unfit(c, "an array column takes a JSON array")
	}
	var b strings.Builder
	if !writeArray(&b, list) {
		return "", unfit(c, "the items of an array must be scalars or arrays")
	}
	return b.String(), nil
}

func writeArray(b *strings.Builder, items []any) bool {
	b.WriteByte('{')
	for i, item := range items {
		if i > 0 {
			b.WriteByte(',')
		}
		switch item := item.(type) {
		case nil:
			b.WriteString("NULL")
		case bool:
			b.WriteString(map[bool]string{true: "t", false: "f"}[item])
		case json.Number:
			b.WriteString(item.String())
		case string:
			b.WriteByte('"')
			b.WriteString(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(item))
			b.WriteByte('"')
		case []any:
			if !writeArray(b, item) {
				return false
			}
		default:
			return false
		}
	}
	b.WriteByte('}')
	return true
}

func (postgresCodec) now(b []byte, _ columnInfo) []byte { return append(b, "CURRENT_TIMESTAMP"...) }

func (postgresCodec) read(b []byte, expr string, c columnInfo) []byte {
	switch c.class {
	case classArray, classComposite:
		return append(append(append(b, "to_json("...), expr...), ")::text"...)
	case classOther: // arrives as the server writes it; a cast may write it otherwise
		return append(b, expr...)
	}
	return append(append(b, expr...), "::text"...)
}

func (postgresCodec) decode(b []byte, value any, c columnInfo) []byte {
	text, ok := value.(string)
	if !ok {
		raw, _ := value.([]byte)
		text = string(raw)
	}
	switch c.class {
	case classInt, classFloat:
		if isNumber(text) { // not NaN, Infinity
			return append(b, text...)
		}
	case classBool:
		if text == "true" || text == "false" {
			return append(b, text...)
		}
	case classTime:
		if t, err := time.Parse("2006-01-02 15:04:05.999999-07", text); err == nil { // not infinity, not BC
			return appendJSONTime(b, t)
		}
	case classLocalTime:
		if t, err := time.Parse("2006-01-02 15:04:05.999999", text); err == nil {
			return appendJSONTime(b, t)
		}
	case classBytes:
		if data, err := hex.DecodeString(string(bytes.TrimPrefix([]byte(text), []byte(`\x`)))); err == nil {
			return appendJSONBytes(b, data)
		}
	case classJSON, classArray, classComposite:
		return appendJSONText(b, text)
	}
	return appendJSONString(b, text)
}
