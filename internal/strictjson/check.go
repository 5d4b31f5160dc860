package strictjson

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json/jsontext"
)

// maxFloatDigits is the length up to which a number without an exponent
// certainly fits a 64-bit float.
const maxFloatDigits = 308

// decoders saves making the stacks of a decoder for every text.
var decoders = sync.Pool{New: func() any { return new(jsontext.Decoder) }}

// Check answers nil when data is one JSON value that asyncops takes, else a
// *job.InvalidError about the first fault. A text that is malformed anywhere
// is reported as that, even after a string that holds U+0000.
func Check(data []byte) error {
	malformed, nul := check(data)
	if malformed != nil {
		return malformed
	}
	if nul != nil {
		return nul
	}
	return nil
}

// check reads data to its first malformed place; nul is about the first
// string that holds U+0000.
func check(data []byte) (malformed, nul *job.InvalidError) {
	if bytes.HasPrefix(data, []byte("\uFEFF")) {
		return job.Malformed("", CodeByteOrderMark, "the text begins with a byte order mark; send UTF-8 without it"), nil
	}
	dec, done := decoder(data)
	defer done()
	mayHoldNUL := HasNUL(data)
	for {
		raw, err := readToken(dec)
		if err != nil {
			return syntaxError(data, err), nil
		}
		depth := dec.StackDepth()
		if depth > job.MaxDepth {
			return job.Malformed(string(dec.StackPointer()), CodeTooDeep, "nested deeper than %d levels", job.MaxDepth), nil
		}
		if e := checkScalar(dec, raw); e != nil {
			return e, nil
		}
		if mayHoldNUL && nul == nil && len(raw) > 0 && raw[0] == '"' && HasNUL(raw) {
			nul = job.Invalid(string(dec.StackPointer()), CodeNUL, `holds the character \u0000, which is not allowed`)
		}
		if depth == 0 {
			break
		}
	}
	if rest := bytes.TrimLeft(data[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return job.Malformed("", CodeTrailingData, "something follows the JSON value at %s; send one value", position(data, len(data)-len(rest))), nil
	}
	return nil, nul
}

// readToken reads one token; raw is nil for a bracket or brace.
func readToken(dec *jsontext.Decoder) (raw jsontext.Value, err error) {
	switch dec.PeekKind() {
	case '{', '}', '[', ']':
		_, err = dec.ReadToken()
		return nil, err
	}
	return dec.ReadValue()
}

// checkScalar looks at the size of the object that a name was read from, and
// of a number.
func checkScalar(dec *jsontext.Decoder, raw jsontext.Value) *job.InvalidError {
	switch raw.Kind() {
	case '"':
		kind, length := dec.StackIndex(dec.StackDepth())
		if kind == '{' && length > 2*MaxKeys {
			return job.Malformed(string(dec.StackPointer().Parent()), CodeTooManyKeys, "has more than %d members", MaxKeys)
		}
	case '0':
		if len(raw) <= maxFloatDigits && !bytes.ContainsAny(raw, "eE") {
			return nil
		}
		if _, err := strconv.ParseFloat(string(raw), 64); err != nil {
			return job.Malformed(string(dec.StackPointer()), CodeNumberTooLarge, "the number is too large; write it as a string")
		}
	}
	return nil
}

// HasNUL reports whether some string or name in valid JSON holds U+0000.
func HasNUL(data []byte) bool {
	for from := 0; ; {
		i := bytes.Index(data[from:], []byte(`\u0000`))
		if i < 0 {
			return false
		}
		i += from
		backslashes := 1
		for i-backslashes >= 0 && data[i-backslashes] == '\\' {
			backslashes++
		}
		if backslashes%2 == 1 {
			return true
		}
		from = i + 1
	}
}

// syntaxError says why the reader stopped.
func syntaxError(data []byte, err error) *job.InvalidError {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return job.Malformed("", CodeNotJSON, "the text is empty; a JSON value is wanted")
	}
	pointer, at := string(syntax.JSONPointer), min(max(int(syntax.ByteOffset), 0), len(data))
	rest := data[at:]
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return job.Malformed(pointer, CodeDuplicateField, "the field %s is given twice", Quote(syntax.JSONPointer.LastToken()))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return job.Malformed(pointer, CodeNotJSON, "not JSON: the text ends at %s, in the middle of a value", position(data, len(data)))
	case isSurrogate(rest):
		return job.Malformed(pointer, CodeLoneSurrogate, "half a surrogate pair is escaped at %s", position(data, at))
	}
	r, size := utf8.DecodeRune(rest)
	if r == utf8.RuneError && size == 1 {
		return job.Malformed(pointer, CodeInvalidUTF8, "bytes that are not UTF-8 at %s", position(data, at))
	}
	return job.Malformed(pointer, CodeNotJSON, "not JSON: unexpected %s at %s", strconv.QuoteRune(r), position(data, at))
}

// isSurrogate reports whether data begins with the escape of a surrogate.
func isSurrogate(data []byte) bool {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return false
	}
	n, err := strconv.ParseUint(string(data[2:6]), 16, 32)
	return err == nil && 0xD800 <= n && n <= 0xDFFF
}

// position names a byte of data as people count: line and column from 1, the
// column in characters.
func position(data []byte, at int) string {
	line := bytes.Count(data[:at], []byte("\n")) + 1
	column := utf8.RuneCount(data[bytes.LastIndexByte(data[:at], '\n')+1:at]) + 1
	return fmt.Sprintf("line %d, column %d", line, column)
}

// Canonical writes data in the one form that equal texts share: members in
// order of their names, no white space, strings escaped alike, numbers as they
// are written (1, 1.0 and 1e0 differ). It is what fingerprints are made of.
// It answers nil for what Check refuses as not JSON.
func Canonical(data []byte) []byte {
	value := jsontext.Value(slices.Clone(data))
	if value.Canonicalize(jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)) != nil {
		return nil
	}
	return value
}
