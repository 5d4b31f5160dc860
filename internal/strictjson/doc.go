// Package strictjson owns what asyncops takes for JSON, and how it says what
// is wrong with a text that is not: every fault is a *job.InvalidError with
// JSON pointers (RFC 6901) into the text.
//
// It is stricter than encoding/json, which takes the last of two members of
// one name, matches names without regard to case, replaces what is not UTF-8
// and reads 10,000 levels deep. Whatever this package accepts encoding/json
// accepts as well, with equal values. It knows no format of its own: durations,
// operators and bounds belong to the packages that decode with it.
package strictjson

// MaxKeys is the most members that one object may have.
const MaxKeys = 1000

// Codes of job.FieldError for texts that are not JSON as asyncops takes it, or
// not of the form that is decoded: they make a request malformed (400).
const (
	CodeNotJSON        = "not_json"         // the grammar of RFC 8259 does not allow it
	CodeByteOrderMark  = "byte_order_mark"  // begins with U+FEFF
	CodeTrailingData   = "trailing_data"    // something follows the value
	CodeInvalidUTF8    = "invalid_utf8"     // a string holds bytes that are not UTF-8
	CodeLoneSurrogate  = "lone_surrogate"   // half a surrogate pair is escaped
	CodeDuplicateField = "duplicate_field"  // an object has two members of one name
	CodeTooManyKeys    = "too_many_keys"    // an object has more than MaxKeys members
	CodeTooDeep        = "too_deep"         // nested deeper than job.MaxDepth
	CodeNumberTooLarge = "number_too_large" // beyond what a 64-bit float can hold
	CodeNotAnInteger   = "not_an_integer"   // an integer is wanted: no fraction, exponent or -0
	CodeUnknownField   = "unknown_field"    // the object has no such member
	CodeWrongType      = "wrong_type"       // another JSON type is wanted
)

// Codes of job.FieldError for values that are well-formed and not allowed (422).
const (
	CodeOutOfRange   = "out_of_range"  // an integer that its field cannot hold, or beyond a bound
	CodeNUL          = "nul"           // a string or name holds U+0000
	CodeInvalidValue = "invalid_value" // a string that is not the time, bytes or id that is wanted
)

// Malformed reports whether a field error of this code makes a request
// malformed (400) and not merely invalid (422).
func Malformed(code string) bool {
	switch code {
	case CodeNotJSON, CodeByteOrderMark, CodeTrailingData, CodeInvalidUTF8, CodeLoneSurrogate,
		CodeDuplicateField, CodeTooManyKeys, CodeTooDeep, CodeNumberTooLarge, CodeNotAnInteger,
		CodeUnknownField, CodeWrongType:
		return true
	}
	return false
}
