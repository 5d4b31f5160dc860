package store

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/internal/mysqlconn"
)

// mysqlCodec writes every value as a constant of the column's own kind: the
// server compares a DECIMAL with a string as floating-point numbers, and takes
// what it cannot read for zero. It checks what the server would bend to fit.
//
//   - TINYINT(1), BIT(1): true and false; other integers of a TINYINT(1) stay
//     integers
//   - BIT(n): an unsigned integer
//   - FLOAT: is read and compared with its own precision
//   - DATETIME: taken for UTC; both it and TIMESTAMP are rounded to microseconds
//   - zero dates, which old tables may hold, are read in the server's spelling
//     and cannot be written
//   - JSON: a type on MySQL, which keeps other numbers than integers in floating
//     point; on MariaDB text with a check, which keeps what was written and
//     compares it as text
//   - ENUM, SET: text, never an index
//   - geometries: bytes as the server keeps them
type mysqlCodec struct{}

func (mysqlCodec) literal(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	if err := checkText(v, c); err != nil {
		return b, err
	}
	switch {
	case v.Kind == dbop.Null:
		return append(b, "NULL"...), nil
	case v.Kind == dbop.Bytes && c.class != classBytes:
		return b, unfit(c, "bytes fit a binary column only")
	case v.Kind == dbop.JSON && c.class != classJSON:
		return b, unfit(c, "an object or array fits a JSON column only")
	}
	switch c.class {
	case classInt, classBool:
		return mysqlInt(b, v, c)
	case classFloat:
		return mysqlFloat(b, v, c)
	case classDecimal:
		text, err := mysqlDecimal(v, c)
		if err != nil {
			return b, err
		}
		return parenthesized(b, text), nil
	case classTime, classLocalTime, classDate:
		return mysqlTime(b, v, c)
	case classBytes:
		if v.Kind != dbop.Bytes && v.Kind != dbop.String {
			return b, unfit(c, `bytes are {"$base64": …} or a string`)
		}
		return appendBlob(b, v.Text), nil
	case classJSON:
		return mysqlJSON(b, v, c)
	case classOther:
		if strings.HasPrefix(c.declared, "time") && !mysqlClock.MatchString(v.Text) {
			return b, unfit(c, "not a time of day such as 10:00:00")
		}
	case classText:
		if isIndex(v.Text, c.declared) {
			return b, unfit(c, "not one of its values")
		}
	}
	return mysqlconn.AppendLiteral(b, v.Text), nil
}

// mysqlClock is a TIME: it may be negative, and longer than a day.
var mysqlClock = regexp.MustCompile(`^-?\d{1,3}:[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$`)

// isIndex reports whether an ENUM or SET would take text for an index among
// its values: digits that are not a value.
func isIndex(text, declared string) bool {
	return (strings.HasPrefix(declared, "enum(") || strings.HasPrefix(declared, "set(")) &&
		text != "" && strings.Trim(text, "0123456789") == "" && !strings.Contains(declared, "'"+text+"'")
}

func mysqlInt(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	switch v.Text {
	case "true":
		return append(b, '1'), nil
	case "false":
		return append(b, '0'), nil
	}
	if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
		return parenthesized(b, strconv.FormatInt(n, 10)), nil
	}
	n, err := strconv.ParseUint(v.Text, 10, 64)
	switch {
	case err == nil:
		return strconv.AppendUint(b, n, 10), nil
	case c.class == classBool:
		return b, unfit(c, "not true or false")
	}
	return b, unfit(c, "not an integer of 64 bits")
}

func mysqlFloat(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	if !isNumber(v.Text) {
		return b, unfit(c, "not a number")
	}
	size := 64
	if strings.HasPrefix(c.declared, "float") {
		size = 32
	}
	f, err := strconv.ParseFloat(v.Text, size)
	if err != nil || math.IsInf(f, 0) {
		return b, unfit(c, "the number is out of range")
	}
	return parenthesized(b, strconv.FormatFloat(f, 'e', -1, 64)), nil
}

// What a DECIMAL of either server holds at most: digits in all, and behind the
// point.
const (
	mysqlDigits = 65
	mysqlScale  = 30
)

// mysqlDecimal returns a number without exponent: one with an exponent would be
// a floating-point number to the server.
func mysqlDecimal(v dbop.Value, c columnInfo) (string, error) {
	if !isNumber(v.Text) {
		return "", unfit(c, "not a number")
	}
	number, negative := strings.CutPrefix(v.Text, "-")
	mantissa, power, _ := strings.Cut(strings.ToLower(number), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exponent := 0
	if power != "" {
		var err error
		if exponent, err = strconv.Atoi(power); err != nil {
			exponent = math.MaxInt16 // far out of range, unless it is the power of zero
		}
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(digits) - len(fraction) + exponent // where it is among digits
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return "0", nil
	}
	if point > mysqlDigits || len(digits)-point > mysqlScale || max(point, 0)+max(len(digits)-point, 0) > mysqlDigits {
		return "", unfit(c, "a number of more than 65 digits, or more than 30 behind the point")
	}
	switch {
	case point <= 0:
		digits = "0." + strings.Repeat("0", -point) + digits
	case point >= len(digits):
		digits += strings.Repeat("0", point-len(digits))
	default:
		digits = digits[:point] + "." + digits[point:]
	}
	if negative {
		digits = "-" + digits
	}
	return digits, nil
}

func mysqlTime(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	t, ok := dbop.ParseTime(v.Text)
	switch {
	case !ok || v.Kind != dbop.String:
		return b, unfit(c, "not a time such as 2026-01-31T12:00:00Z or a date such as 2026-01-31")
	case c.class == classDate:
		return mysqlconn.AppendLiteral(b, t.Format(time.DateOnly)), nil
	}
	return mysqlconn.AppendLiteral(b, t.UTC().Round(time.Microsecond).Format(localTimeLayout)), nil
}

func mysqlJSON(b []byte, v dbop.Value, c columnInfo) ([]byte, error) {
	text, err := asJSON(v, c)
	if c.declared != "json" {
		return mysqlconn.AppendLiteral(b, text), err
	}
	b = append(b, "CAST("...)
	b = mysqlconn.AppendLiteral(b, text)
	return append(b, " AS JSON)"...), err
}

func (mysqlCodec) now(b []byte, c columnInfo) []byte {
	switch c.class {
	case classDate:
		return append(b, "CURRENT_DATE"...)
	case classInt, classFloat, classDecimal:
		return append(b, "UNIX_TIMESTAMP()"...)
	}
	return append(b, "CURRENT_TIMESTAMP(6)"...) // the session's zone is UTC
}

func (mysqlCodec) read(b []byte, expr string, c columnInfo) []byte {
	switch {
	case strings.HasPrefix(c.declared, "bit"):
		return append(append(append(b, '('), expr...), " + 0)"...)
	case strings.HasPrefix(c.declared, "float"): // by itself it would come with 6 digits
		return append(append(append(b, '('), expr...), " + 0e0)"...)
	}
	return append(b, expr...)
}

func (mysqlCodec) decode(b []byte, value any, c columnInfo) []byte {
	switch value := value.(type) {
	case int64:
		if c.class == classBool && (value == 0 || value == 1) {
			return strconv.AppendBool(b, value == 1)
		}
		return strconv.AppendInt(b, value, 10)
	case uint64:
		if c.class == classBool && value <= 1 {
			return strconv.AppendBool(b, value == 1)
		}
		return strconv.AppendUint(b, value, 10)
	case float64:
		if strings.HasPrefix(c.declared, "float") {
			return strconv.AppendFloat(b, value, 'g', -1, 32)
		}
		return strconv.AppendFloat(b, value, 'g', -1, 64)
	case []byte:
		return mysqlText(b, value, c)
	}
	return append(b, "null"...)
}

func mysqlText(b, value []byte, c columnInfo) []byte {
	switch c.class {
	case classBytes:
		return appendJSONBytes(b, value)
	case classJSON:
		return appendJSONText(b, string(value))
	case classTime, classLocalTime:
		if t, err := time.Parse("2006-01-02 15:04:05.999999", string(value)); err == nil { // not a zero date
			return appendJSONTime(b, t)
		}
	}
	return appendJSONString(b, string(value))
}
