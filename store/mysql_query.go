package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/asyncops/asyncops/dbop"
)

// placeholder tells the server which values are exact numbers: it would compare
// a text with a DECIMAL as floating-point numbers.
func (*mysql) placeholder(_ int, p dbop.Param) string {
	if p.Type == dbop.ParamDecimal {
		return "CAST(? AS DECIMAL(65, 30))"
	}
	return "?"
}

func (*mysql) argument(v dbop.Value, p dbop.Param) (any, error) {
	c := paramColumn(p)
	if err := checkText(v, c); err != nil {
		return nil, err
	}
	if v.Kind == dbop.Null {
		return nil, nil //nolint:nilnil // NULL is a value
	}
	switch p.Type {
	case dbop.ParamInteger:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			return n, nil
		}
		n, err := strconv.ParseUint(v.Text, 10, 64)
		if err != nil {
			return nil, unfit(c, "not an integer of 64 bits")
		}
		return n, nil
	case dbop.ParamNumber:
		f, err := strconv.ParseFloat(v.Text, 64)
		if err != nil {
			return nil, unfit(c, "the number is out of range")
		}
		return f, nil
	case dbop.ParamDecimal:
		text, err := mysqlDecimal(v, c)
		if whole, _, _ := strings.Cut(strings.TrimPrefix(text, "-"), "."); err == nil && len(whole) > mysqlDigits-mysqlScale {
			return nil, unfit(c, "a number of more than 35 digits in front of the point")
		}
		return text, err
	case dbop.ParamBoolean:
		return v.Text == "true", nil
	case dbop.ParamTime:
		t, ok := dbop.ParseTime(v.Text)
		if !ok {
			return nil, unfit(c, "not a time")
		}
		return t.UTC().Format("2006-01-02 15:04:05.000000"), nil
	case dbop.ParamBytes:
		return []byte(v.Text), nil
	case dbop.ParamJSON:
		return asJSON(v, c)
	}
	return v.Text, nil
}

// describeRows knows no JSON on MariaDB, which tells nobody of it.
func (*mysql) describeRows(_ context.Context, _ querier, types []*sql.ColumnType) ([]columnInfo, error) {
	columns := make([]columnInfo, len(types))
	for i, typ := range types {
		name := strings.ToLower(strings.TrimPrefix(typ.DatabaseTypeName(), "UNSIGNED "))
		c := columnInfo{name: typ.Name(), declared: name}
		if width, ok := typ.Length(); ok && width == 1 && (name == "tinyint" || name == "bit") {
			c.declared = name + "(1)"
		}
		c.class = mysqlClass(name, c.declared)
		columns[i] = c
	}
	return columns, nil
}

// appendValue reads what prepared statements return: numbers as such, bits as
// bytes.
func (*mysql) appendValue(b []byte, value any, c columnInfo) []byte {
	switch value := value.(type) {
	case float32:
		return strconv.AppendFloat(b, float64(value), 'g', -1, 32)
	case []byte:
		switch {
		case strings.HasPrefix(c.declared, "bit") && len(value) <= 8:
			var n uint64
			for _, part := range value {
				n = n<<8 | uint64(part)
			}
			return mysqlCodec{}.decode(b, n, c)
		case c.class == classInt && isNumber(string(value)): // one above 2^63
			return append(b, value...)
		}
	}
	return mysqlCodec{}.decode(b, value, c)
}
