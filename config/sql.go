package config

import (
	"errors"
	"strconv"
	"strings"
)

// statement is what the configuration needs to know of a named statement; the
// server checks the rest.
type statement struct {
	firstWord    string // in capitals
	placeholders int    // ? counted, or the highest n of $n
}

// scanSQL reads one statement, looking neither into literals nor comments.
// backslashes says that one in a literal escapes what follows, as in MySQL.
func scanSQL(sql string, backslashes bool) (statement, error) {
	var s statement
	var questions, highest int
	ended := false
	for i := 0; i < len(sql); {
		end := skipSQL(sql, i, backslashes)
		switch c := sql[i]; {
		case end < 0:
			return s, errors.New("has a literal or comment that is not closed; close it")
		case strings.HasPrefix(sql[i:], "/*!") || strings.HasPrefix(sql[i:], "/*M!"):
			return s, errors.New("has a comment that MySQL runs; write its content, or remove it")
		case isComment(sql[i:end]) || strings.TrimSpace(sql[i:end]) == "":
		case ended:
			return s, errors.New("has more than one statement; keep one, and write a query for each of the others")
		case c == ';':
			ended = true
		case c == '?':
			questions++
		case c == '$' && end > i+1 && madeOf(sql[i+1:end], digits):
			n, err := strconv.Atoi(sql[i+1 : end])
			if err != nil || n == 0 || n > 65535 {
				return s, errors.New("has a placeholder out of bounds; number them from $1")
			}
			highest = max(highest, n)
		case s.firstWord == "":
			s.firstWord = strings.ToUpper(sql[i:end])
		}
		i = end
	}
	switch {
	case s.firstWord == "":
		return s, errors.New("has no statement; write one")
	case questions > 0 && highest > 0:
		return s, errors.New("mixes ? and $n placeholders; use one kind")
	}
	s.placeholders = questions + highest
	return s, nil
}

func isComment(token string) bool {
	return strings.HasPrefix(token, "--") || strings.HasPrefix(token, "/*")
}

// skipSQL returns the end of the token that begins at i: a quoted literal, a
// comment, a word, a placeholder, or one byte; -1 if it is not closed.
func skipSQL(sql string, i int, backslashes bool) int {
	switch c := sql[i]; {
	case strings.HasPrefix(sql[i:], "--"):
		return i + len(sql[i:]) - len(afterLine(sql[i:]))
	case strings.HasPrefix(sql[i:], "/*"):
		return closing(sql, i+2, "*/")
	case c == '\'' || c == '"' || c == '`':
		return literalEnd(sql, i, backslashes)
	case c == '$':
		end := wordEnd(sql, i+1)
		if tag := sql[i+1 : end]; strings.HasPrefix(sql[end:], "$") && (tag == "" || !madeOf(tag, digits)) {
			return closing(sql, end+1, sql[i:end+1]) // $tag$ literal $tag$
		}
		return end
	case isWordByte(c):
		return wordEnd(sql, i)
	default:
		return i + 1
	}
}

// literalEnd returns the end of the quoted literal that begins at i, or -1. A
// doubled quote reads as two literals side by side.
func literalEnd(sql string, i int, backslashes bool) int {
	quote := sql[i]
	for i++; i < len(sql); i++ {
		switch {
		case sql[i] == quote:
			return i + 1
		case sql[i] == '\\' && backslashes && quote != '`':
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
