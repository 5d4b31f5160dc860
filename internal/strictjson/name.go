package strictjson

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxQuoted is the most bytes of a caller's name that a message repeats.
const maxQuoted = 64

// Quote puts a caller's name in quotes for a message, shortened when it is long.
func Quote(name string) string {
	if len(name) > maxQuoted {
		return strconv.Quote(strings.ToValidUTF8(name[:maxQuoted], "")) + "…"
	}
	return strconv.Quote(name)
}

// unknownField says that the struct has no member of the name, and which one
// may have been meant.
func unknownField(name string, t reflect.Type) string {
	known := fieldNames(t)
	if hint := DidYouMean(name, known); hint != "" {
		return fmt.Sprintf("unknown field %s%s", Quote(name), hint)
	}
	if len(known) == 0 {
		return fmt.Sprintf("unknown field %s; no field is known here", Quote(name))
	}
	return fmt.Sprintf("unknown field %s; known are %s", Quote(name), strings.Join(known, ", "))
}

// fieldNames lists the members that a struct is decoded from.
func fieldNames(t reflect.Type) []string {
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case field.Anonymous && name == "":
			names = append(names, fieldNames(indirect(field.Type))...)
		case field.IsExported() && name == "":
			names = append(names, field.Name)
		case field.IsExported():
			names = append(names, name)
		}
	}
	return names
}

// DidYouMean answers `; did you mean "x"?` for the known name that is nearest
// to the given one, or "" when none is near.
func DidYouMean(name string, known []string) string {
	if len(name) > maxQuoted {
		return ""
	}
	best, nearest := "", max(1, len(name)/3)+1
	for _, candidate := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(candidate)); d < nearest {
			best, nearest = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := slices.Clone(row)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before = last
	}
	return row[len(b)]
}
