package docs_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
	"github.com/asyncops/asyncops/tasks"
)

var update = flag.Bool("update", false, "write docs/reference.md")

// The reference page is made of the tables that the product runs by.
func TestReference(t *testing.T) {
	t.Parallel()
	name := filepath.Join(root, "docs", "reference.md")
	want := reference(t)
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/reference.md is not up to date, run go generate ./internal/docs (-want +got):\n%s", diff)
	}
}

// reference writes the page.
func reference(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Reference\n\nWritten by `go generate ./internal/docs` from the tables that the product runs by.\n" +
		"Settings are in [configuration.md](configuration.md).\n")

	b.WriteString("\n## Kinds\n\nTheir args and results are described by the JSON Schemas in `tasks/schema` and at `GET /v1/kinds`.\n\n" +
		"| kind | does | may change |\n|---|---|---|\n")
	changes := map[tasks.Effect]string{tasks.EffectNone: "nothing", tasks.EffectDatabase: "rows", tasks.EffectUpstream: "what the API does"}
	for _, kind := range tasks.Definitions() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", kind.Name, cell(kind.Description), changes[kind.Effect])
	}

	b.WriteString("\n## States\n\n| state | means |\n|---|---|\n")
	comments := constants(t, "job/state.go", "State")
	for _, state := range job.States() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", state, cell(comments[string(state)]))
	}

	b.WriteString("\n## Moves\n\nThe only ways from one state to another; everything else changes nothing.\n\n" +
		"| move | from | to | when |\n|---|---|---|---|\n")
	comments = constants(t, "job/move.go", "Move")
	for _, step := range job.Steps() {
		from := "–"
		if len(step.From) > 0 {
			from = list(step.From)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", step.Move, from, list(step.To), cell(comments[string(step.Move)]))
	}

	b.WriteString("\n## Error codes of jobs\n\n| code | means |\n|---|---|\n")
	comments = constants(t, "job/code.go", "Code")
	for _, code := range job.Codes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", code, cell(comments[string(code)]))
	}

	b.WriteString("\n## Error codes of the REST API\n\nWhat is wrong with one field of a request has a code of the field's own.\n\n" +
		list(api.ProblemCodes()) + "\n")

	b.WriteString("\n## Metrics\n\n| metric | type | labels | what |\n|---|---|---|---|\n")
	for _, family := range observe.Families() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", family.Name, family.Type, list(family.Labels), cell(family.Help))
	}
	return b.String()
}

// cell keeps text within its cell of a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

func list[S ~string](names []S) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "`" + string(name) + "`"
	}
	return strings.Join(quoted, " ")
}

// constants returns the comments on a file's constants of a type, by value:
// the doc comment of each, or what stands behind it.
func constants(t *testing.T, file, typeName string) map[string]string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	comments := map[string]string{}
	ast.Inspect(parsed, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		ident, isIdent := spec.Type.(*ast.Ident)
		literal, isLiteral := spec.Values[0].(*ast.BasicLit)
		if !isIdent || !isLiteral || ident.Name != typeName {
			return true
		}
		value, err := strconv.Unquote(literal.Value)
		if err != nil {
			t.Fatal(err)
		}
		comments[value] = strings.Join(strings.Fields(spec.Doc.Text()+" "+spec.Comment.Text()), " ")
		if comments[value] == "" {
			t.Errorf("%s: %s has no comment", file, spec.Names[0].Name)
		}
		return true
	})
	return comments
}
