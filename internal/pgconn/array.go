package pgconn

import "strconv"

// Array is the text of an array with an element of each row, as PostgreSQL reads
// it where a text is cast to an array's type. A nil pointer is NULL.
func Array[T any, E Element](rows []T, of func(*T) E) string {
	text := append(make([]byte, 0, 16*len(rows)+2), '{')
	for i := range rows {
		if i > 0 {
			text = append(text, ',')
		}
		text = appendElement(text, of(&rows[i]))
	}
	return string(append(text, '}'))
}

// Element is what Array makes arrays of.
type Element interface {
	bool | int | int64 | string | *int64 | *string
}

func appendElement[E Element](array []byte, e E) []byte {
	switch e := any(e).(type) {
	case bool:
		return strconv.AppendBool(array, e)
	case int:
		return strconv.AppendInt(array, int64(e), 10)
	case int64:
		return strconv.AppendInt(array, e, 10)
	case string:
		return appendQuoted(array, e)
	case *int64:
		if e != nil {
			return strconv.AppendInt(array, *e, 10)
		}
	case *string:
		if e != nil {
			return appendQuoted(array, *e)
		}
	}
	return append(array, "NULL"...)
}

func appendQuoted(array []byte, text string) []byte {
	array = append(array, '"')
	for i := range len(text) {
		if c := text[i]; c == '"' || c == '\\' {
			array = append(array, '\\')
		}
		array = append(array, text[i])
	}
	return append(array, '"')
}
