package sqltext

import "strings"

const digits = "0123456789"

func madeOf(s, chars string) bool { return strings.Trim(s, chars) == "" }

func isComment(token string, d Dialect) bool {
	return strings.HasPrefix(token, "--") || strings.HasPrefix(token, "/*") || d == MySQL && strings.HasPrefix(token, "#")
}

// skip returns the end of the token that begins at i: a quoted literal or name,
// a comment, a word, a placeholder, or one byte; -1 if it is not closed.
func skip(sql string, i int, d Dialect) int {
	switch c := sql[i]; {
	case lineComment(sql[i:], d):
		return i + len(sql[i:]) - len(afterLine(sql[i:]))
	case strings.HasPrefix(sql[i:], "/*"):
		return commentEnd(sql, i, d)
	case c == '\'' || c == '"' || c == '`':
		return literalEnd(sql, i, d == MySQL && c != '`')
	case c == '[' && d == SQLite:
		return closing(sql, i+1, "]")
	case c == '$':
		end := wordEnd(sql, i+1)
		if tag := sql[i+1 : end]; d == Postgres && strings.HasPrefix(sql[end:], "$") && (tag == "" || !madeOf(tag[:1], digits)) {
			return closing(sql, end+1, sql[i:end+1]) // $tag$ literal $tag$
		}
		return end
	case d == SQLite && (c == ':' || c == '@'):
		return wordEnd(sql, i+1)
	case isWordByte(c):
		end := wordEnd(sql, i)
		if d == Postgres && strings.EqualFold(sql[i:end], "E") && strings.HasPrefix(sql[end:], "'") {
			return literalEnd(sql, end, true)
		}
		return end
	default:
		return i + 1
	}
}

// lineComment reports whether a comment up to the end of the line begins here.
// To MySQL two dashes are one only in front of a space: 5--3 is 8.
func lineComment(sql string, d Dialect) bool {
	if d == MySQL {
		return sql[0] == '#' || strings.HasPrefix(sql, "--") && (len(sql) == 2 || sql[2] <= ' ')
	}
	return strings.HasPrefix(sql, "--")
}

// commentEnd returns the end of the comment that begins at i, or -1. Those of
// PostgreSQL nest.
func commentEnd(sql string, i int, d Dialect) int {
	for depth := 0; i < len(sql); {
		switch {
		case strings.HasPrefix(sql[i:], "/*") && (depth == 0 || d == Postgres):
			depth++
			i += 2
		case strings.HasPrefix(sql[i:], "*/"):
			depth--
			if i += 2; depth == 0 {
				return i
			}
		default:
			i++
		}
	}
	return -1
}

// literalEnd returns the end of the quoted literal that begins at i, or -1. A
// doubled quote reads as two literals side by side.
func literalEnd(sql string, i int, backslashes bool) int {
	quote := sql[i]
	for i++; i < len(sql); i++ {
		switch {
		case sql[i] == quote:
			return i + 1
		case sql[i] == '\\' && backslashes:
			i++
		}
	}
	return -1
}

// afterLine returns what follows the first line of s.
func afterLine(s string) string {
	_, rest, _ := strings.Cut(s, "\n")
	return rest
}

// closing returns the end of the first mark at or after i, or -1.
func closing(sql string, i int, mark string) int {
	if i > len(sql) {
		return -1
	}
	at := strings.Index(sql[i:], mark)
	if at < 0 {
		return -1
	}
	return i + at + len(mark)
}

func wordEnd(sql string, i int) int {
	for i < len(sql) && isWordByte(sql[i]) {
		i++
	}
	return i
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
