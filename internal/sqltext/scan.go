// Package sqltext reads the text of one SQL statement: where its placeholders
// are, what it begins with, whether it changes rows and whether it returns some.
// It looks into neither literals nor comments, and knows no grammar beyond that:
// the server checks the rest.
package sqltext

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Dialect says how literals, names and comments are written.
type Dialect int

const (
	Postgres Dialect = iota
	MySQL            // and MariaDB
	SQLite
)

// MaxParams is the most placeholders that a statement may have: what PostgreSQL
// and SQLite can count.
const MaxParams = 32_766

// Statement is what the text of a statement says of itself.
type Statement struct {
	FirstWord string // in capitals
	MainWord  string // that of what follows WITH and its queries; else FirstWord
	Params    int    // values that it takes: ? counted, or the highest n of $n
	Changes   bool   // it, or a part of it, inserts, updates or deletes
	Locks     bool   // SELECT … FOR UPDATE and the like
	Into      bool   // SELECT … INTO
	Returns   bool   // rows: it selects, or has RETURNING

	sql   string
	marks []mark
}

// mark is a placeholder.
type mark struct {
	start, end int // of its text
	param      int // of the values, from 0
}

// Bind returns the statement with its placeholders as write writes them. Order
// holds the value of each, by its index, in the order of the text.
func (s *Statement) Bind(write func(param int) string) (text string, order []int) {
	var b strings.Builder
	at := 0
	for _, m := range s.marks {
		b.WriteString(s.sql[at:m.start])
		b.WriteString(write(m.param))
		at = m.end
		order = append(order, m.param)
	}
	b.WriteString(s.sql[at:])
	return b.String(), order
}

// mainWords begin a statement; writingWords one that changes rows.
var (
	mainWords    = []string{"SELECT", "VALUES", "TABLE", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"}
	writingWords = []string{"INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE"}
)

// Scan reads one statement. Its errors read on from the name of a setting.
func Scan(sql string, d Dialect) (*Statement, error) {
	s := &Statement{sql: sql}
	questions, highest, depth := 0, 0, 0
	ended := false
	before := "" // the token before, in capitals
	for i := 0; i < len(sql); {
		end := skip(sql, i, d)
		if end < 0 {
			return nil, errors.New("has a literal or comment that is not closed; close it")
		}
		token := sql[i:end]
		start := i
		i = end
		switch {
		case strings.HasPrefix(token, "/*!") || strings.HasPrefix(token, "/*M!"):
			return nil, errors.New("has a comment that MySQL runs; write its content, or remove it")
		case isComment(token, d) || strings.TrimSpace(token) == "":
			continue
		case ended:
			return nil, errors.New("has more than one statement; keep one, and write a query for each of the others")
		case token == ";":
			ended = true
		case token == "(":
			depth++
		case token == ")":
			depth--
		case token == "?":
			if end < len(sql) && strings.IndexByte(digits, sql[end]) >= 0 {
				return nil, errors.New("numbers a placeholder as ?n; write $n")
			}
			s.marks = append(s.marks, mark{start, end, questions})
			questions++
		case token[0] == '$' && len(token) > 1 && madeOf(token[1:], digits):
			n, err := strconv.Atoi(token[1:])
			if err != nil || n == 0 || n > MaxParams {
				return nil, errors.New("has a placeholder out of bounds; number them from $1")
			}
			s.marks = append(s.marks, mark{start, end, n - 1})
			highest = max(highest, n)
		case d == SQLite && strings.IndexByte(":@$", token[0]) >= 0:
			return nil, errors.New("has a placeholder that is neither ? nor $n; write one of these")
		default:
			s.word(strings.ToUpper(token), before, depth, nextIs(sql, end, '('))
		}
		before = strings.ToUpper(token)
	}
	switch {
	case s.FirstWord == "":
		return nil, errors.New("has no statement; write one")
	case questions > 0 && highest > 0:
		return nil, errors.New("mixes ? and $n placeholders; use one kind")
	case questions > MaxParams:
		return nil, errors.New("has too many placeholders; use at most " + strconv.Itoa(MaxParams))
	}
	for n := range highest {
		if !slices.ContainsFunc(s.marks, func(m mark) bool { return m.param == n }) {
			return nil, errors.New("numbers its placeholders up to $" + strconv.Itoa(highest) + " and leaves out $" + strconv.Itoa(n+1) + "; number them without gaps")
		}
	}
	s.Params = questions + highest
	s.Returns = s.Returns || slices.Contains([]string{"SELECT", "VALUES", "TABLE"}, s.MainWord)
	return s, nil
}

// word takes note of a token that is none of the others. called says that
// a parenthesis follows, as behind a function's name.
func (s *Statement) word(word, before string, depth int, called bool) {
	first := s.FirstWord == ""
	if first {
		s.FirstWord = word
		if word != "WITH" {
			s.MainWord = word
		}
	}
	main := s.MainWord == "" && depth == 0 && slices.Contains(mainWords, word)
	if main {
		s.MainWord = word
	}
	switch {
	case slices.Contains(writingWords, word) && (first || main || !called && (before == "(" || before == ")" && depth > 0)):
		s.Changes = true
	case before == "FOR" && (word == "UPDATE" || word == "SHARE" || word == "NO" || word == "KEY"):
		s.Locks = true
	case word == "INTO" && depth == 0 && s.MainWord == "SELECT":
		s.Into = true
	case word == "RETURNING" && depth == 0:
		s.Returns = true
	}
}

// nextIs reports whether the first byte after i that is no space is c.
func nextIs(sql string, i int, c byte) bool {
	rest := strings.TrimLeft(sql[i:], " \t\r\n")
	return rest != "" && rest[0] == c
}
