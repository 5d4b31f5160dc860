package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFileSecret is the most that is read of a file named by ${file:…}, in bytes.
const maxFileSecret = 1 << 20

// template is a value whose variables have been looked up and whose files are
// still to be read.
type template []segment

// segment is literal text or, if file is set, the content of a file.
type segment struct{ text, file string }

// parseTemplate reads ${VAR}, ${VAR:-default}, ${file:/path} and the escape
// $${ in s. Looked-up text is taken as it is. An empty variable counts as unset.
func parseTemplate(s string, getenv func(string) string) (template, error) {
	var t template
	for {
		start := strings.Index(s, "${")
		if start < 0 {
			return t.literal(s), nil
		}
		if start > 0 && s[start-1] == '$' {
			t, s = t.literal(s[:start-1]+"${"), s[start+2:]
			continue
		}
		t = t.literal(s[:start])
		name, rest, closed := strings.Cut(s[start+2:], "}")
		if !closed {
			return nil, errors.New("has a ${ without its }; close it, or write $${ for a literal ${")
		}
		if strings.Contains(name, "${") {
			return nil, errors.New("has a ${ inside another; write one after the other")
		}
		part, err := expandOne(name, getenv)
		if err != nil {
			return nil, err
		}
		if part.file != "" {
			t = append(t, part)
		} else {
			t = t.literal(part.text)
		}
		s = rest
	}
}

// expandOne resolves what stands between ${ and }.
func expandOne(expr string, getenv func(string) string) (segment, error) {
	if path, ok := strings.CutPrefix(expr, "file:"); ok {
		if !filepath.IsAbs(path) {
			return segment{}, fmt.Errorf("${%s} has no absolute path; write it from the root, such as ${file:/run/secrets/name}", expr)
		}
		return segment{file: path}, nil
	}
	name, fallback, hasFallback := strings.Cut(expr, ":-")
	if name == "" || !madeOf(name, lower+upper+digits+"_") || strings.Contains(digits, name[:1]) {
		return segment{}, fmt.Errorf("${%s} names no variable; write ${VAR}, ${VAR:-default} or ${file:/path}, or $${ for a literal ${", name)
	}
	switch value := getenv(name); {
	case value != "":
		return segment{text: value}, nil
	case hasFallback:
		return segment{text: fallback}, nil
	default:
		return segment{}, fmt.Errorf("${%s} is not set; set the variable %s, or write ${%s:-default}", name, name, name)
	}
}

// literal appends text, joining it to literal text before it.
func (t template) literal(text string) template {
	if text == "" {
		return t
	}
	if n := len(t); n > 0 && t[n-1].file == "" {
		t[n-1].text += text
		return t
	}
	return append(t, segment{text: text})
}

func (t template) hasFile() bool {
	for _, s := range t {
		if s.file != "" {
			return true
		}
	}
	return false
}

// render reads the files and returns the whole text. Line ends at the end of a
// file are not part of it.
func (t template) render() (string, error) {
	var b strings.Builder
	for _, s := range t {
		b.WriteString(s.text)
		if s.file == "" {
			continue
		}
		text, err := readSecretFile(s.file)
		if err != nil {
			return "", fmt.Errorf("${file:%s} cannot be read: %w; correct the path, or let this user read the file", s.file, err)
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

func readSecretFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", cause(err)
	}
	defer func() { _ = f.Close() }() // only read from
	content, err := io.ReadAll(io.LimitReader(f, maxFileSecret+1))
	if err != nil {
		return "", cause(err)
	}
	if len(content) > maxFileSecret {
		return "", errors.New("it is larger than 1MiB")
	}
	return strings.TrimRight(string(content), "\r\n"), nil
}

// cause strips the operation and path, which the message has already.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
