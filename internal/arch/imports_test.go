package arch_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/asyncops/asyncops"

// source is one Go file of the module.
type source struct {
	path    string // relative to the module's root
	imports []string
}

func (s source) pkg() string { return path.Dir(s.path) }

// home is the package whose vendors the file may import: for a suite that of
// what it tests.
func (s source) home() string {
	parent, base := path.Split(s.pkg())
	if parent = path.Clean(parent); base == path.Base(parent)+"test" {
		return parent
	}
	return s.pkg()
}

// test reports whether the file is compiled for tests only. The suites and
// testkit are, too: nothing but tests may import them.
func (s source) test() bool {
	return strings.HasSuffix(s.path, "_test.go") || strings.HasSuffix(s.pkg(), "test") || s.pkg() == "internal/testkit"
}

func TestImports(t *testing.T) {
	t.Parallel()
	sources := readSources(t)
	for _, problem := range checkImports(sources) {
		t.Error(problem)
	}
	for _, rule := range packageRules {
		if !slices.ContainsFunc(sources, func(s source) bool { return s.pkg() == rule.path }) {
			t.Errorf("%s is in the import map and not in the tree: remove its line from packageRules", rule.path)
		}
	}
	for _, rule := range vendorRules {
		if !slices.ContainsFunc(sources, func(s source) bool { return slices.ContainsFunc(s.imports, rule.covers) }) {
			t.Errorf("%s is in the import map and nobody imports it: remove its line from vendorRules", rule.path)
		}
	}
}

// The map would be no guard if it let these pass.
func TestImportsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		file string
		path string // what the file imports
		want string // in the problem; "" is none
	}{
		{"allowed", "ledger/claim.go", module + "/job", ""},
		{"standard library", "job/job.go", "net/http", ""},
		{"not in the map", "util/strings.go", "fmt", "util is not in the import map"},
		{"sub-package not in the map", "ledger/migrations/x.go", "fmt", "ledger/migrations is not in the import map"},
		{"upwards", "job/job.go", module + "/ledger", "job may not import ledger"},
		{"sideways", "dispatch/relay.go", module + "/ledger", "dispatch may not import ledger"},
		{"the composition", "api/api.go", module + "/app", "api may not import app"},
		{"testkit outside of tests", "ledger/ledger.go", module + "/internal/testkit", "ledger may not import internal/testkit"},
		{"testkit in a test", "ledger/ledger_test.go", module + "/internal/testkit", ""},
		{"own package in a test", "job/job_test.go", module + "/job", ""},
		{"another package in a test", "dispatch/relay_test.go", module + "/ledger", ""},
		{"the composition in a test", "dispatch/relay_test.go", module + "/app", "dispatch may not import app"},
		{"a suite outside of tests", "app/app.go", module + "/ledger/ledgertest", "app may not import ledger/ledgertest"},
		{"vendor at home", "dispatch/server.go", "github.com/hibiken/asynq", ""},
		{"vendor's major version", "dispatch/server.go", "github.com/redis/go-redis/v9", ""},
		{"vendor abroad", "api/api.go", "github.com/hibiken/asynq", "api may not import github.com/hibiken/asynq"},
		{"vendor abroad in a test", "api/api_test.go", "github.com/hibiken/asynq", "api may not import github.com/hibiken/asynq"},
		{"vendor in the suite", "dispatch/dispatchtest/faults.go", "github.com/hibiken/asynq", ""},
		{"vendor abroad in a suite", "ledger/ledgertest/suite.go", "github.com/hibiken/asynq", "ledger/ledgertest may not import"},
		{"app is bound, too", "app/app.go", "github.com/uptrace/bun", "app may not import github.com/uptrace/bun"},
		{"part of a vendor", "store/store.go", "github.com/uptrace/bun/driver/pgdriver", "store may not import"},
		{"another vendor with the same beginning", "store/store.go", "github.com/uptrace/bunx", "github.com/uptrace/bunx is not in the import map"},
		{"new vendor", "job/job.go", "github.com/pkg/errors", "github.com/pkg/errors is not in the import map"},
		{"test library in a test", "job/job_test.go", "pgregory.net/rapid", ""},
		{"test library in a suite", "ledger/ledgertest/suite.go", "github.com/google/go-cmp/cmp", ""},
		{"test library in the product", "job/job.go", "pgregory.net/rapid", "pgregory.net/rapid is for tests"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(checkImports([]source{{path: test.file, imports: []string{test.path}}}), "\n")
			if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("checkImports(%s imports %s) = %q, want %q in it", test.file, test.path, got, test.want)
			}
		})
	}
}

// checkImports returns what breaks the map, one line for each.
func checkImports(sources []source) []string {
	var problems []string
	for _, s := range sources {
		index := slices.IndexFunc(packageRules, func(r packageRule) bool { return r.path == s.pkg() })
		if index < 0 {
			problems = append(problems, fmt.Sprintf("%s: package %s is not in the import map. Put the code where its subject lives; "+
				"if it is a subject of its own, add a line to packageRules that says what it may import, and its home to the docs.", s.path, s.pkg()))
			continue
		}
		for _, imported := range s.imports {
			if problem := checkImport(s, packageRules[index], imported); problem != "" {
				problems = append(problems, s.path+": "+problem)
			}
		}
	}
	return problems
}

func checkImport(s source, rule packageRule, imported string) string {
	if ours, ok := ourPackage(imported); ok {
		if !mayImport(s, rule, ours) {
			return fmt.Sprintf("%s may not import %s. Declare the interface that you need where you need it and let app connect the two, "+
				"or change packageRules and say why.", rule.path, ours)
		}
		return ""
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	vendor := vendorOf(imported)
	switch {
	case vendor == nil:
		return fmt.Sprintf("%s is not in the import map. A new library is a decision: add a line to vendorRules with the one package that it is for.", imported)
	case vendor.tests && !s.test():
		return imported + " is for tests."
	case !vendor.tests && !slices.Contains(vendor.imports, s.home()) && !slices.Contains(vendor.imports, anyPackage):
		return fmt.Sprintf("%s may not import %s: it is for %s. Ask that package.", rule.path, imported, strings.Join(vendor.imports, ", "))
	}
	return ""
}

// mayImport reports whether a file of rule's package may import one of ours.
func mayImport(s source, rule packageRule, ours string) bool {
	if slices.Contains(rule.imports, ours) || ours == rule.path {
		return true
	}
	if s.test() {
		top, _, _ := strings.Cut(ours, "/")
		return s.pkg() != "internal/testkit" && !slices.Contains(composition, top)
	}
	return slices.Contains(rule.imports, anyPackage) && !(source{path: ours + "/x.go"}).test()
}

// ourPackage returns an import's path in this module, if it is of it.
func ourPackage(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func (r vendorRule) covers(imported string) bool {
	return imported == r.path || strings.HasPrefix(imported, r.path+"/")
}

// vendorOf returns the rule with the longest path that covers an import, or nil.
func vendorOf(imported string) *vendorRule {
	var found *vendorRule
	for i, rule := range vendorRules {
		if rule.covers(imported) && (found == nil || len(rule.path) > len(found.path)) {
			found = &vendorRules[i]
		}
	}
	return found
}

// readSources parses the imports of every Go file of the module, whatever its
// build constraints.
func readSources(t *testing.T) []source {
	t.Helper()
	var sources []source
	err := walkGo(func(name string, text []byte) error {
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		s := source{path: name}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, imported)
		}
		sources = append(sources, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// walkGo calls visit for every Go file of the module, with its path relative
// to the module's root. Modules inside it and test data are not of it.
func walkGo(visit func(name string, text []byte) error) error {
	root := filepath.Join("..", "..")
	return filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			_, inner := os.Stat(filepath.Join(name, "go.mod"))
			if name != root && (inner == nil || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(relative), text)
	})
}
