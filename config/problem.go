package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Problem is one thing wrong with the configuration.
type Problem struct {
	File     string // as it was given; empty if the file is not where it comes from
	Line     int    // in File, from 1; 0 if none
	Variable string // the environment variable it comes from; empty if none
	Setting  string // such as databases.main.dsn; empty if it is about the whole
	Message  string // what is wrong; the fix. Never holds a secret.
}

// String returns the problem on one line, where it is first.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			b.WriteString(":" + strconv.Itoa(p.Line))
		}
		b.WriteString(": ")
	}
	if p.Variable != "" {
		b.WriteString(p.Variable + ": ")
	}
	if p.Setting != "" {
		b.WriteString(p.Setting + ": ")
	}
	return b.String() + p.Message
}

// Problems is everything wrong with a configuration: the file's in the order
// of its lines, then those of variables, then the rest.
type Problems []Problem

// Error returns one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Warning is something that does not keep a process from starting.
type Warning struct {
	Variable string // the environment variable it is about
	Message  string // what is wrong; the fix
}

// String returns the warning on one line.
func (w Warning) String() string { return w.Variable + ": " + w.Message }

// origin is where the value of a setting was given.
type origin struct {
	file     string
	line     int
	variable string
}

// report collects problems, and where the settings were given.
type report struct {
	origins  map[string]origin // by setting
	bad      map[string]bool   // settings with a problem
	unread   map[string]bool   // those whose value could not be read
	problems Problems
}

func newReport() *report {
	return &report{origins: map[string]origin{}, bad: map[string]bool{}, unread: map[string]bool{}}
}

// add notes a problem of a setting at a place.
func (r *report) add(at origin, setting, format string, args ...any) {
	r.bad[setting] = true
	r.problems = append(r.problems, Problem{
		File: at.file, Line: at.line, Variable: at.variable, Setting: setting, Message: fmt.Sprintf(format, args...),
	})
}

// at notes a problem of a setting where it, or the closest section around it,
// was given. It is dropped if the setting has a problem already, or is within
// what could not be read: it is not missing as well.
func (r *report) at(setting, format string, args ...any) {
	if r.bad[setting] {
		return
	}
	var place origin
	found := false
	for path := setting; path != ""; path = parentPath(path) {
		if r.unread[path] {
			return
		}
		if !found {
			place, found = r.origins[path]
		}
	}
	r.add(place, setting, format, args...)
}

// place takes the problems that somebody else has found.
func (r *report) place(err error) {
	var found Problems
	switch {
	case err == nil:
	case !errors.As(err, &found):
		r.add(origin{}, "", "%v", err)
	}
	for _, p := range found {
		if p.Setting == "" {
			r.add(origin{}, "", "%s", p.Message)
			continue
		}
		r.at(p.Setting, "%s", p.Message)
	}
}

// hasProblemIn reports whether the setting, or one within it, has a problem.
func (r *report) hasProblemIn(path string) bool {
	for setting := range r.bad {
		if setting == path || strings.HasPrefix(setting, path+".") || strings.HasPrefix(setting, path+"[") {
			return true
		}
	}
	return false
}

// forget drops where the settings within path were given.
func (r *report) forget(path string) {
	for setting := range r.origins {
		if strings.HasPrefix(setting, path+".") || strings.HasPrefix(setting, path+"[") {
			delete(r.origins, setting)
		}
	}
}

// sorted returns the problems in their order, or nil if there are none.
func (r *report) sorted() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Variable, b.Variable), cmp.Compare(a.Setting, b.Setting),
		)
	})
	return r.problems
}

func rank(p Problem) int {
	switch {
	case p.File != "":
		return 0
	case p.Variable != "":
		return 1
	}
	return 2
}

// joinPath appends the key of a section or map.
func joinPath(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// indexPath appends the index of a list.
func indexPath(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// parentPath removes the last key or index.
func parentPath(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }
