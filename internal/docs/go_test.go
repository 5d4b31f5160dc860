package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Go in the documentation is compiled: it stands so in a file.
func TestGoIsCompiled(t *testing.T) {
	t.Parallel()
	tr := readTree(t)
	sources := goFiles(t, tr)
	blocks := 0
	for _, d := range tr.documents {
		for _, block := range goBlocks(d.text) {
			blocks++
			if !slices.ContainsFunc(sources, func(source string) bool { return strings.Contains(source, block) }) {
				t.Errorf("%s: no Go file has\n%s", d.path, block)
			}
		}
	}
	if blocks == 0 {
		t.Error("the documentation has no Go: this test shows nothing")
	}
}

// What the documentation calls by a package's name is exported by it.
func TestGoNamesExist(t *testing.T) {
	t.Parallel()
	tr := readTree(t)
	for _, d := range tr.documents {
		for _, name := range unknownNames(t, tr, d) {
			t.Errorf("%s: %s: there is no such name", d.path, name)
		}
	}
	if got := unknownNames(t, tr, parse("x.md", "`store.Brew(store.Eq(…))` job.Coffee `crm.Do` `job.ErrNotFound`")); !slices.Equal(got, []string{"store.Brew"}) {
		t.Errorf("unknownNames = %v, want store.Brew: code only, of packages only", got)
	}
}

var (
	goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
	goName  = regexp.MustCompile(`(?:^|[^\w./])([a-z]+)\.([A-Z]\w*)`)
)

func goBlocks(text string) (blocks []string) {
	for _, match := range goBlock.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, match[1])
	}
	return blocks
}

// goFiles are the texts of all Go files of the module, tests included.
func goFiles(t *testing.T, tr tree) (texts []string) {
	t.Helper()
	for _, file := range tr.files {
		if path.Ext(file) == ".go" {
			text, err := os.ReadFile(filepath.Join(root, file))
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	return texts
}

// unknownNames are what a document's code says of packages at the module's root
// that they do not export.
func unknownNames(t *testing.T, tr tree, d document) (unknown []string) {
	t.Helper()
	for _, code := range d.code {
		for _, match := range goName.FindAllStringSubmatch(code, -1) {
			if pkg, name := match[1], match[2]; tr.has(pkg+"/*.go") && !slices.Contains(exported(t, tr, pkg), name) {
				unknown = append(unknown, pkg+"."+name)
			}
		}
	}
	return unknown
}

// exported are the names that a package declares at its top.
func exported(t *testing.T, tr tree, pkg string) (names []string) {
	t.Helper()
	for _, file := range tr.files {
		if path.Dir(file) != pkg || path.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, file), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil {
					names = append(names, decl.Name.Name)
				}
			case *ast.GenDecl:
				names = append(names, specNames(decl)...)
			}
		}
	}
	return names
}

func specNames(decl *ast.GenDecl) (names []string) {
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			names = append(names, spec.Name.Name)
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				names = append(names, name.Name)
			}
		}
	}
	return names
}
