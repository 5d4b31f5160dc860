package store

import (
	"context"
	"database/sql"
	"math"
	"strconv"

	"github.com/asyncops/asyncops/dbop"
)

func (sqlite) placeholder(int, dbop.Param) string { return "?" }

// argument spells values as they are kept: see sqlite_types.go. An exact number
// goes as a number: beside an expression that is no column, text would be larger
// than every number.
func (sqlite) argument(v dbop.Value, p dbop.Param) (any, error) {
	c := paramColumn(p)
	if err := checkText(v, c); err != nil {
		return nil, err
	}
	if v.Kind == dbop.Null {
		return nil, nil //nolint:nilnil // NULL is a value
	}
	switch p.Type {
	case dbop.ParamInteger, dbop.ParamNumber, dbop.ParamDecimal:
		if n, err := strconv.ParseInt(v.Text, 10, 64); err == nil {
			return n, nil
		}
		f, err := strconv.ParseFloat(v.Text, 64)
		switch {
		case p.Type == dbop.ParamInteger:
			return nil, unfit(c, "not an integer of 64 bits")
		case err != nil || math.IsInf(f, 0):
			return nil, unfit(c, "the number is out of range")
		case p.Type == dbop.ParamDecimal && significant(v.Text) > maxDecimalDigits:
			return nil, unfit(c, "SQLite keeps 15 digits of a number; declare the column TEXT, and the parameter string, to keep more")
		}
		return f, nil
	case dbop.ParamBoolean:
		return map[bool]int64{true: 1, false: 0}[v.Text == "true"], nil
	case dbop.ParamTime:
		t, ok := dbop.ParseTime(v.Text)
		if !ok {
			return nil, unfit(c, "not a time")
		}
		return t.UTC().Format(localTimeLayout), nil
	case dbop.ParamBytes:
		return []byte(v.Text), nil
	case dbop.ParamJSON:
		return asJSON(v, c)
	}
	return v.Text, nil
}

// describeRows reads the types that columns of tables are declared with; what is
// no such column is whatever it turns out to be.
func (sqlite) describeRows(_ context.Context, _ querier, types []*sql.ColumnType) ([]columnInfo, error) {
	columns := make([]columnInfo, len(types))
	for i, typ := range types {
		columns[i] = columnInfo{name: typ.Name(), declared: typ.DatabaseTypeName(), class: sqliteClass(typ.DatabaseTypeName())}
	}
	return columns, nil
}

func (sqlite) appendValue(b []byte, value any, c columnInfo) []byte {
	return sqliteCodec{}.decode(b, value, c)
}
