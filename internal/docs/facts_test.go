package docs_test

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
	"github.com/asyncops/asyncops/tasks"
)

// What the documentation names must exist.
func TestNamedThingsExist(t *testing.T) {
	t.Parallel()
	tr := readTree(t)
	for _, d := range tr.documents {
		for _, problem := range checkDocument(tr, d) {
			t.Errorf("%s: %s", d.path, problem)
		}
	}
}

// The checks would be no guard if they let these pass.
func TestNamedThingsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		text string
		want string // in the problem; "" is none
	}{
		{"make target", "run `make test`", ""},
		{"no make target", "run `make coffee`", "make coffee"},
		{"no make target in a block", "```\n$ make coffee\n```\n", "make coffee"},
		{"prose", "we make coffee", ""},
		{"path", "see `job/state.go`, `job/`, `./cmd`", "./cmd"},
		{"pattern", "see `job/*.go`", ""},
		{"no path", "see `job/coffee.go`", "job/coffee.go"},
		{"file of the user", "write `config.yaml`", ""},
		{"no Go file", "see `coffee.go`", "coffee.go"},
		{"test", "until then `TestClaim`", ""},
		{"no test", "until then `TestCoffee`", "TestCoffee"},
		{"link", "[x](job/state.go) [y](https://example.com/z) [z](#heading)\n# Heading\n", ""},
		{"no link", "[x](coffee.md)", "coffee.md"},
		{"no anchor", "[x](#coffee)", "#coffee"},
		{"setting", "set `ASYNCOPS_LEDGER_DSN` and ASYNCOPS_DATABASES_MAIN_DSN", ""},
		{"pattern of settings", "`ASYNCOPS_*` and `ASYNCOPS_DATABASES_<NAME>_DSN`", ""},
		{"other variable", "set `ASYNCOPS_REQUIRE_SERVICES=1`", ""},
		{"no setting", "set `ASYNCOPS_COFFEE`", "ASYNCOPS_COFFEE"},
		{"state", "`{\"state\":\"completed\"}` `?state=pending,active`", ""},
		{"no state", "`{\"state\": \"done\"}`", `state "done"`},
		{"no state in a query", "`GET /v1/jobs?state=pending,done`", `state "done"`},
		{"kind", "`{\"kind\":\"db.insert_one\"}` `system.noop`", ""},
		{"no kind", "`db.brew`", "kind db.brew"},
		{"no kind in JSON", "`\"kind\":\"coffee.brew\"`", "kind coffee.brew"},
		{"error code", "`{\"code\":\"max_affected\"}`", ""},
		{"no error code", "`{\"code\":\"coffee\"}`", `code "coffee"`},
		{"metric", "`asyncops_jobs_finished_total` `asyncops_job_wait_seconds_bucket`", ""},
		{"no metric", "`asyncops_coffee_total`", "asyncops_coffee_total"},
	}
	tr := tree{
		tests:  []string{"TestClaim"},
		files:  []string{"./", "Makefile", "job/", "job/state.go"},
		source: map[string]string{"Makefile": "test: ## run\n", "x.go": `"ASYNCOPS_REQUIRE_SERVICES"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := strings.Join(checkDocument(tr, parse("README.md", test.text)), "\n")
			if (test.want == "") != (got == "") || !strings.Contains(got, test.want) {
				t.Errorf("checkDocument(%q) = %q, want %q in it", test.text, got, test.want)
			}
		})
	}
}

// What a user can call or set must be named. Settings are held to
// docs/configuration.md by config; states, kinds, codes and metrics are in the
// reference.
func TestThingsAreNamed(t *testing.T) {
	t.Parallel()
	tr := readTree(t)
	var all strings.Builder
	for _, d := range tr.documents {
		all.WriteString(strings.Join(d.code, "\n") + "\n")
	}
	for _, target := range makeTargets(tr) {
		if !strings.Contains(all.String(), "make "+target) {
			t.Errorf("make %s is documented nowhere", target)
		}
	}
	for name, source := range tr.source {
		for _, variable := range quotedVariable.FindAllStringSubmatch(source, -1) {
			if path.Ext(name) == ".go" && !strings.Contains(all.String(), variable[1]) {
				t.Errorf("%s reads %s, which is documented nowhere", name, variable[1])
			}
		}
	}
}

// checkDocument returns what a document names that does not exist.
func checkDocument(tr tree, d document) []string {
	problems := checkLinks(tr, d)
	for _, code := range d.code {
		problems = append(problems, checkMake(tr, code)...)
		problems = append(problems, checkPath(tr, code)...)
		problems = append(problems, checkVocabulary(tr, code)...)
	}
	return append(problems, checkNames(tr, d.text)...)
}

var (
	makeCall       = regexp.MustCompile(`^(?:\$ |.*(?:&&|;) *)?make ([a-z]+)`)
	makeTarget     = regexp.MustCompile(`(?m)^([a-z]+):.*## `)
	pathLike       = regexp.MustCompile(`^(?:\./)?([\w.-]+)(/[\w.*-]*)+$`)
	goFile         = regexp.MustCompile(`^[\w-]+\.go$`)
	testName       = regexp.MustCompile(`^(?:Test|Fuzz)[A-Z]\w*$`)
	link           = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading        = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	variableName   = regexp.MustCompile(`ASYNCOPS_[A-Z0-9_<>*]*`)
	quotedVariable = regexp.MustCompile(`"(ASYNCOPS_[A-Z0-9_]*[A-Z0-9])"`)
	stateValue     = regexp.MustCompile(`"state": *"(\w+)"|[?&]state=([\w,]+)`)
	kindValue      = regexp.MustCompile(`"kind": *"([\w.]+)"|\b((?:db|http|ws|system)\.[a-z_]+)\b`)
	codeValue      = regexp.MustCompile(`"code": *"(\w+)"`)
	metricName     = regexp.MustCompile(`\basyncops_[a-z0-9_]+`)
)

func makeTargets(tr tree) []string {
	var targets []string
	for _, match := range makeTarget.FindAllStringSubmatch(tr.source["Makefile"], -1) {
		targets = append(targets, match[1])
	}
	return targets
}

func checkMake(tr tree, code string) []string {
	match := makeCall.FindStringSubmatch(code)
	if match == nil || slices.Contains(makeTargets(tr), match[1]) {
		return nil
	}
	return []string{"make " + match[1] + ": there is no such target"}
}

// checkPath looks at code that reads as a path of this repository: it begins
// with one of its directories, or names a Go file or a test.
func checkPath(tr tree, code string) []string {
	match := pathLike.FindStringSubmatch(code)
	switch {
	case testName.MatchString(code):
		if !slices.Contains(tr.tests, code) {
			return []string{code + ": there is no such test"}
		}
	case goFile.MatchString(code):
		if !slices.ContainsFunc(tr.files, func(file string) bool { return path.Base(file) == code }) {
			return []string{code + ": there is no such file"}
		}
	case match != nil && (tr.has(match[1]) || strings.HasPrefix(code, "./")) && !tr.has(code):
		return []string{code + ": there is no such path"}
	}
	return nil
}

func checkLinks(tr tree, d document) []string {
	var problems []string
	for _, match := range link.FindAllStringSubmatch(d.text, -1) {
		if strings.Contains(match[1], ":") {
			continue // another site
		}
		file, anchor, _ := strings.Cut(match[1], "#")
		target := d
		if file != "" {
			name := path.Join(path.Dir(d.path), file)
			if !tr.has(name) {
				problems = append(problems, match[1]+": the link leads nowhere")
				continue
			}
			index := slices.IndexFunc(tr.documents, func(d document) bool { return d.path == name })
			if index < 0 {
				continue
			}
			target = tr.documents[index]
		}
		if anchor != "" && !slices.Contains(anchors(target.text), anchor) {
			problems = append(problems, match[1]+": there is no such heading")
		}
	}
	return problems
}

// anchors are the headings as hosts of Markdown name them.
func anchors(text string) []string {
	var found []string
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		anchor := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', r >= 'a' && r <= 'z', r >= '0' && r <= '9', r > 127:
				return r
			}
			return -1
		}, strings.ToLower(match[1]))
		found = append(found, anchor)
	}
	return found
}

// alertStates are the states of alerts.
var alertStates = map[job.AlertState]bool{job.AlertPending: true, job.AlertFiring: true, job.AlertResolved: true}

// checkVocabulary looks at the words of the contract inside code.
func checkVocabulary(tr tree, code string) []string {
	var problems []string
	for _, match := range stateValue.FindAllStringSubmatch(code, -1) {
		for state := range strings.SplitSeq(match[1]+match[2], ",") {
			if !job.State(state).Valid() && !alertStates[job.AlertState(state)] {
				problems = append(problems, fmt.Sprintf("state %q: there is no such state", state))
			}
		}
	}
	for _, match := range kindValue.FindAllStringSubmatch(code, -1) {
		kind := match[1] + match[2]
		if !tasks.Known(kind) && path.Ext(kind) != ".go" {
			problems = append(problems, "kind "+kind+": there is no such kind")
		}
	}
	for _, match := range codeValue.FindAllStringSubmatch(code, -1) {
		known := slices.Contains(job.Codes(), job.Code(match[1])) || slices.Contains(api.ProblemCodes(), match[1])
		if !known && !tr.mentions(`"`+match[1]+`"`) { // the codes of fields are where they are checked
			problems = append(problems, fmt.Sprintf("code %q: there is no such error code", match[1]))
		}
	}
	return problems
}

// checkNames looks at names that cannot be anything else.
func checkNames(tr tree, text string) []string {
	var problems []string
	for _, name := range variableName.FindAllString(text, -1) {
		if !knownVariable(tr, name) {
			problems = append(problems, name+": there is no such variable")
		}
	}
	for _, name := range metricName.FindAllString(text, -1) {
		if !knownMetric(name) && !tr.mentions(name) { // tables have the prefix, too
			problems = append(problems, name+": there is no such metric or table")
		}
	}
	return problems
}

func knownVariable(tr tree, name string) bool {
	if strings.HasSuffix(name, "*") || name == "ASYNCOPS_" {
		return true // all of them
	}
	if settingVariables().MatchString(name) {
		return true
	}
	short, _ := strings.CutPrefix(name, "ASYNCOPS_")
	return tr.mentions(`"`+name+`"`) || tr.mentions(`prefix + "`+short+`"`)
}

// settingVariables matches the variable of every setting; the name of an entry
// may be a placeholder.
var settingVariables = sync.OnceValue(func() *regexp.Regexp {
	placeholder := regexp.MustCompile(`<[A-Z]+>`)
	var patterns []string
	for _, setting := range config.Settings() {
		if setting.Env != "" {
			patterns = append(patterns, placeholder.ReplaceAllString(regexp.QuoteMeta(setting.Env), "(?:<[A-Z]+>|[A-Z0-9_]+)"))
		}
	}
	return regexp.MustCompile("^(?:" + strings.Join(patterns, "|") + ")$")
})

func knownMetric(name string) bool {
	for _, family := range observe.Families() {
		switch strings.TrimPrefix(name, family.Name) {
		case "":
			return true
		case "_bucket", "_sum", "_count":
			if family.Type == observe.Histogram {
				return true
			}
		}
	}
	return false
}
