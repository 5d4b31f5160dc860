package arch_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxLines is where a file holds more than one idea.
const maxLines = 600

func TestHouseRules(t *testing.T) {
	t.Parallel()
	err := walkGo(func(name string, text []byte) error {
		for _, problem := range checkStyle(name, text) {
			t.Error(problem)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// The rules would be no guard if they let these pass.
func TestHouseRulesRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text string
		want string // in the problem; "" is none
	}{
		{"good", "package a\n\nvar x = \"ledger: claim\" // see #12\n", ""},
		{"failed to", "package a\n\nvar x = \"ledger: failed" + " to claim\"\n", "a.go:3: say what was being done"},
		{"failed as a state", "package a\n\nvar x = \"the job failed\"\n", ""},
		{"open end", "package a\n\n// TO" + "DO: later\n", "a.go:3: give it an issue number"},
		{"open end with an issue", "package a\n\n// TO" + "DO(#12): later\n", ""},
		{"sleeping test", "package a_test\n\nvar x = func() { time.Sleep(1) }\n", "a.go:3: a test that sleeps"},
		{"sleeping in a bubble", "package a_test\n\nimport \"testing/synctest\"\n\nvar x = func() { time.Sleep(1) }\n", ""},
		{"long", "package a\n" + strings.Repeat("\n", maxLines), "a.go: has 601 lines"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(checkStyle("a.go", []byte(test.text)), "\n")
			if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("checkStyle(%q) = %q, want %q in it", test.text, got, test.want)
			}
		})
	}
}

var (
	openEnd  = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	withWork = regexp.MustCompile(`\b(TODO|FIXME|XXX)\(#\d+\)`)
	failedTo = regexp.MustCompile(`(?i)\b(failed|unable) to\b`)
)

// checkStyle returns what breaks the house rules in one file, one line for each.
func checkStyle(name string, text []byte) []string {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, text, parser.ParseComments)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	report := func(pos token.Pos, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("%s:%d: %s", name, files.Position(pos).Line, fmt.Sprintf(format, args...)))
	}
	if lines := bytes.Count(text, []byte("\n")); lines > maxLines {
		problems = append(problems, fmt.Sprintf("%s: has %d lines: at %d it is two files", name, lines, maxLines))
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if openEnd.MatchString(comment.Text) && !withWork.MatchString(comment.Text) {
				report(comment.Pos(), "give it an issue number, as in TO"+"DO(#12), or do it")
			}
		}
	}
	bubble := slices.ContainsFunc(file.Imports, func(spec *ast.ImportSpec) bool { return spec.Path.Value == `"testing/synctest"` })
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.BasicLit:
			if node.Kind == token.STRING && failedTo.MatchString(node.Value) && !strings.HasSuffix(name, "_test.go") {
				report(node.Pos(), "say what was being done to what; that it is an error says that it failed")
			}
		case *ast.SelectorExpr:
			if called, ok := node.X.(*ast.Ident); ok && called.Name == "time" && node.Sel.Name == "Sleep" && !bubble {
				report(node.Pos(), "a test that sleeps is slow and flaky: poll, signal, or use synctest")
			}
		}
		return true
	})
	return problems
}
