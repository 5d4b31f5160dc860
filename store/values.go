package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
)

// unfit is the failure of a value that its column cannot take.
func unfit(c columnInfo, why string) error {
	what := "column"
	if c.param {
		what = "parameter"
	}
	return job.Permanent(job.CodeInvalidValue, "%s %q (%s): %s", what, c.name, c.declared, why)
}

// checkText refuses what SQL text cannot hold.
func checkText(v dbop.Value, c columnInfo) error {
	switch {
	case v.Kind == dbop.Bytes:
		return nil
	case strings.IndexByte(v.Text, 0) >= 0:
		return unfit(c, "text must not hold a NUL")
	case !utf8.ValidString(v.Text):
		return unfit(c, "text must be UTF-8")
	}
	return nil
}

// asJSON returns the value as JSON text, for a JSON column.
func asJSON(v dbop.Value, c columnInfo) (string, error) {
	switch v.Kind {
	case dbop.Bytes:
		return "", unfit(c, "bytes do not fit a JSON column")
	case dbop.String:
		return string(appendJSONString(nil, v.Text)), nil
	}
	return v.Text, nil
}

// isNumber reports whether text is a JSON number.
func isNumber(text string) bool {
	return text != "" && (text[0] == '-' || text[0] >= '0' && text[0] <= '9') && json.Valid([]byte(text))
}

// appendJSONString appends s as a JSON string; what is not UTF-8 becomes U+FFFD.
func appendJSONString(b []byte, s string) []byte {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string always encodes
	return append(b, bytes.TrimSuffix(out.Bytes(), []byte("\n"))...)
}

// appendJSONText appends JSON that a database returned, without its spaces;
// what turns out not to be JSON becomes a string.
func appendJSONText(b []byte, text string) []byte {
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(text)); err != nil || out.Len() == 0 {
		return appendJSONString(b, text)
	}
	return append(b, out.Bytes()...)
}

func appendJSONBytes(b, data []byte) []byte {
	b = append(b, `{"$base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, data)
	return append(b, `"}`...)
}

func appendJSONTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

const localTimeLayout = "2006-01-02 15:04:05.999999999"

// appendRow appends a row as a JSON object in the order of its columns.
func appendRow(b []byte, appendValue func([]byte, any, columnInfo) []byte, columns []columnInfo, values []any) []byte {
	b = append(b, '{')
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSONString(b, c.name)
		b = append(b, ':')
		if values[i] == nil {
			b = append(b, "null"...)
			continue
		}
		b = appendValue(b, values[i], c)
	}
	return append(b, '}')
}
