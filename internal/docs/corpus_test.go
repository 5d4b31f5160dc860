package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// document is one Markdown file.
type document struct {
	path string // relative to the module's root
	text string
	code []string // what stands in backticks, and the lines of fenced blocks
}

// tree is what the documentation is held against.
type tree struct {
	documents []document
	files     []string          // paths relative to the module's root, directories with a slash at their end
	source    map[string]string // text by path of everything that is not documentation and not a test
	tests     []string          // names of tests, examples and fuzz targets
}

// readTree reads the module, except for what is hidden and test data.
func readTree(t *testing.T) tree {
	t.Helper()
	tr := tree{source: map[string]string{}}
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		relative = filepath.ToSlash(relative)
		if entry.IsDir() {
			if relative != "." && skipDir(relative) {
				return fs.SkipDir
			}
			tr.files = append(tr.files, relative+"/")
			return nil
		}
		tr.files = append(tr.files, relative)
		return tr.read(name, relative)
	})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (tr *tree) read(name, relative string) error {
	switch filepath.Ext(relative) {
	case ".md":
		text, err := os.ReadFile(name)
		if err == nil {
			tr.documents = append(tr.documents, parse(relative, string(text)))
		}
		return err
	case ".go", ".sql", ".yaml", ".yml", ".json", "":
		text, err := os.ReadFile(name)
		switch {
		case strings.HasSuffix(relative, "_test.go"):
			for _, match := range testFunc.FindAllSubmatch(text, -1) {
				tr.tests = append(tr.tests, string(match[1]))
			}
		case !strings.HasPrefix(relative, "internal/docs/"):
			tr.source[relative] = string(text)
		}
		return err
	}
	return nil
}

func skipDir(relative string) bool {
	base := filepath.Base(relative)
	return base == "testdata" || base == "node_modules" || relative == "bin" || strings.HasPrefix(base, ".") && relative != ".ci"
}

var (
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	testFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example|Benchmark)\w*)\(`)
	fence      = regexp.MustCompile("^\\s*(```|~~~)")
)

// parse splits a document into prose and code.
func parse(path, text string) document {
	d := document{path: path, text: text}
	fenced := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		switch {
		case fence.MatchString(line):
			fenced = !fenced
		case fenced:
			d.code = append(d.code, line)
		default:
			for _, match := range inlineCode.FindAllStringSubmatch(line, -1) {
				d.code = append(d.code, match[1])
			}
		}
	}
	return d
}

// has reports whether a path, which may have * in it, is in the tree.
func (tr tree) has(path string) bool {
	path = strings.TrimPrefix(path, "./")
	return slices.ContainsFunc(tr.files, func(file string) bool {
		file = strings.TrimSuffix(file, "/")
		match, err := filepath.Match(strings.TrimSuffix(path, "/"), file)
		return err == nil && match
	})
}

// mentions reports whether text occurs in anything that is not documentation.
func (tr tree) mentions(text string) bool {
	for _, source := range tr.source {
		if strings.Contains(source, text) {
			return true
		}
	}
	return false
}
