package store

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
)

// sqliteClass reads a declared type. SQLite itself keeps any value in any
// column; here the declared type rules, so that values mean the same as on
// other databases:
//
//   - BOOL…: true and false, kept as 1 and 0
//   - DATETIME, TIMESTAMP…: a time, kept as "YYYY-MM-DD HH:MM:SS[.fff]" in UTC,
//     the spelling of SQLite's own functions, which sorts and compares right
//   - DATE: YYYY-MM-DD
//   - JSON…: JSON text
//   - …INT…: an integer of 64 bits (true and false are taken for 1 and 0)
//   - …CHAR…, …CLOB…, …TEXT…: text; numbers are kept digit by digit
//   - …BLOB…: bytes
//   - REAL, FLOAT, DOUBLE: a binary floating-point number
//   - DECIMAL, NUMERIC, NUMBER: a string of at most 15 significant digits,
//     which is what SQLite keeps; declare exact decimals as TEXT
//   - anything else, or nothing: whatever is written
func sqliteClass(declared string) class {
	typ := strings.ToUpper(declared)
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(typ, part) {
				return true
			}
		}
		return false
	}
	switch {
	case has("BOOL"):
		return classBool
	case has("DATETIME", "TIMESTAMP"):
		return classTime
	case typ == "DATE":
		return classDate
	case has("JSON"):
		return classJSON
	case has("INT"):
		return classInt
	case has("CHAR", "CLOB", "TEXT"):
		return classText
	case has("BLOB"):
		return classBytes
	case has("REAL", "FLOA", "DOUB"):
		return classFloat
	case has("DEC", "NUM"):
		return classDecimal
	}
	return classAny
}

type sqliteCodec struct{}

func (sqliteCodec) literal(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	if err := checkText(v, c); err != nil {
		return b, err
	}
	if v.Kind == dbop.Null {
		return append(b, "NULL"...), nil
	}
	if v.Kind == dbop.Number && !isNumber(v.Text) {
		return b, unfit(c, "not a number")
	}
	if v.Kind == dbop.Bytes {
		if c.class != classBytes && c.class != classAny {
			return b, unfit(c, "bytes fit a BLOB column only")
		}
		return appendBlob(b, v.Text), nil
	}
	if v.Kind == dbop.JSON && c.class != classJSON && c.class != classAny {
		return b, unfit(c, "an object or array fits a JSON column only")
	}
	switch c.class {
	case classText:
		return appendQuoted(b, v.Text), nil
	case classInt:
		return appendInt(b, v, c)
	case classFloat, classDecimal:
		return appendNumber(b, v, c)
	case classBool:
		return appendBool(b, v, c)
	case classTime, classDate:
		return appendTime(b, v, c)
	case classJSON:
		text, err := asJSON(v, c)
		return appendQuoted(b, text), err
	case classBytes:
		if v.Kind != dbop.String {
			return b, unfit(c, `bytes are {"$base64": …} or a string`)
		}
		return appendBlob(b, v.Text), nil
	}
	switch v.Kind {
	case dbop.Number:
		return appendNumber(b, v, c)
	case dbop.Bool:
		return appendBool(b, v, c)
	}
	return appendQuoted(b, v.Text), nil
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '\'')
	b = append(b, strings.ReplaceAll(s, "'", "''")...)
	return append(b, '\'')
}

func appendBlob(b []byte, data string) []byte {
	return append(append(append(b, "X'"...), hex.EncodeToString([]byte(data))...), '\'')
}

func appendInt(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	if v.Kind == dbop.Bool {
		return appendBool(b, v, c)
	}
	n, err := strconv.ParseInt(v.Text, 10, 64)
	if err != nil {
		return b, unfit(c, "not an integer of 64 bits")
	}
	return parenthesized(b, strconv.FormatInt(n, 10)), nil
}

// parenthesized keeps a sign away from an operator before it.
func parenthesized(b []byte, number string) []byte {
	if number[0] != '-' {
		return append(b, number...)
	}
	return append(append(append(b, '('), number...), ')')
}

// maxDecimalDigits is what SQLite keeps of a number that is no integer.
const maxDecimalDigits = 15

func appendNumber(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	text := v.Text
	if v.Kind == dbop.Bool || !isNumber(text) {
		return b, unfit(c, "not a number")
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return parenthesized(b, strconv.FormatInt(n, 10)), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsInf(f, 0):
		return b, unfit(c, "the number is out of range")
	case c.class != classFloat && significant(text) > maxDecimalDigits:
		return b, unfit(c, "SQLite keeps 15 digits of a number; declare the column TEXT to keep more")
	}
	return parenthesized(b, text), nil
}

// significant counts the digits of a number without leading and trailing zeros.
func significant(number string) int {
	mantissa, _, _ := strings.Cut(strings.ToLower(strings.TrimPrefix(number, "-")), "e")
	digits := strings.ReplaceAll(mantissa, ".", "")
	return len(strings.Trim(digits, "0"))
}

func appendBool(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	switch v.Text {
	case "true", "1":
		return append(b, '1'), nil
	case "false", "0":
		return append(b, '0'), nil
	}
	return b, unfit(c, "not true or false")
}

func appendTime(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	if v.Kind == dbop.Number { // a file that counts seconds; they are its business
		return appendNumber(b, v, c)
	}
	t, ok := dbop.ParseTime(v.Text)
	switch {
	case !ok || v.Kind != dbop.String:
		return b, unfit(c, "not a time such as 2026-01-31T12:00:00Z or a date such as 2026-01-31")
	case c.class == classDate:
		return appendQuoted(b, t.Format(time.DateOnly)), nil
	}
	return appendQuoted(b, t.UTC().Format(localTimeLayout)), nil
}

func (sqliteCodec) now(b []byte, c columnInfo) []byte {
	switch c.class {
	case classDate:
		return append(b, "CURRENT_DATE"...)
	case classInt, classFloat, classDecimal:
		return append(b, "CAST(strftime('%s', 'now') AS INTEGER)"...)
	}
	return append(b, "rtrim(rtrim(strftime('%Y-%m-%d %H:%M:%f', 'now'), '0'), '.')"...)
}

func (sqliteCodec) read(b []byte, expr string, _ columnInfo) []byte { return append(b, expr...) }

func (sqliteCodec) decode(b []byte, value any, c columnInfo) []byte {
	switch value := value.(type) {
	case int64:
		switch {
		case c.class == classBool && (value == 0 || value == 1):
			return strconv.AppendBool(b, value == 1)
		case c.class == classDecimal:
			return append(strconv.AppendInt(append(b, '"'), value, 10), '"')
		}
		return strconv.AppendInt(b, value, 10)
	case float64:
		return appendFloat(b, value, c)
	case bool:
		return strconv.AppendBool(b, value)
	case time.Time:
		if c.class == classDate {
			return append(value.UTC().AppendFormat(append(b, '"'), time.DateOnly), '"')
		}
		return appendJSONTime(b, value)
	case []byte:
		return appendJSONBytes(b, value)
	case string:
		switch c.class {
		case classJSON:
			return appendJSONText(b, value)
		case classTime, classDate:
			if t, ok := dbop.ParseTime(value); ok {
				return sqliteCodec{}.decode(b, t, c)
			}
		}
		return appendJSONString(b, value)
	}
	return append(b, "null"...)
}

func appendFloat(b []byte, f float64, c columnInfo) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(b, `"-Infinity"`...)
	case c.class == classDecimal:
		return append(strconv.AppendFloat(append(b, '"'), f, 'f', -1, 64), '"')
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}
