package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestReport(t *testing.T) {
	t.Parallel()
	table := []row{
		{"ours", "no-op jobs", perSecond, "theirs", false, "≥ 1.3"},
		{"theirs", "River", perSecond, "", false, ""},
		{"lone", "one job a request", perSecond, "plain", true, "time ≤ 2"},
		{"plain", "plain INSERT", perSecond, "", false, ""},
		{"latency", "pick-up", millis, "", false, "≤ 10 ms"},
		{"memory", "resident memory", mebibytes, "", false, ""},
		{"missing", "what was not measured", perSecond, "", false, ""},
	}
	r := results{}
	for key, values := range map[string][]float64{
		"ours": {7000, 2000, 6900}, "theirs": {3500, 4000, 3000}, "lone": {1000, 500, 2000}, "plain": {3000, 800, 3500},
		"latency": {5.5, 3.7, 13.4}, "memory": {24.9, 25, 24.8},
	} {
		for _, value := range values {
			r.add(key, sample{value: value})
		}
	}
	for i := range r["ours"] {
		r["ours"][i].cpu = map[string]time.Duration{"worker": 60 * time.Microsecond, "PostgreSQL": time.Duration(80+i) * time.Microsecond, "Redis": 0}
	}
	var text bytes.Buffer
	p := plan{rounds: 3, submit: 3 * time.Second, noops: 2000, effects: 500}
	if err := writeReport(&text, "2 cores (Some CPU)", p, table, r); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "report.golden")
	if *update {
		if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text.String() != string(want) {
		t.Errorf("report =\n%s\nwant\n%s", text.String(), want)
	}
}

// What a row is compared with is a row, too.
func TestRows(t *testing.T) {
	t.Parallel()
	labels := map[string]string{}
	pairs := map[[2]string]bool{}
	for _, row := range rows {
		if pair := [2]string{row.key, row.against}; pairs[pair] {
			t.Errorf("%s is in the table twice", row.key)
		} else {
			pairs[pair] = true
		}
		if label, known := labels[row.key]; known && label != row.label {
			t.Errorf("%s is called %q and %q", row.key, label, row.label)
		}
		labels[row.key] = row.label
	}
	for _, row := range rows {
		if _, known := labels[row.against]; row.against != "" && !known {
			t.Errorf("%s is compared with %s, which is not in the table", row.key, row.against)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	const text = "# Server\nredis_version:7.0.15\r\nmodel name\t: AMD EPYC : 7B12\nmodel name\t: another\n"
	for key, want := range map[string]string{"redis_version": "7.0.15", "model name": "AMD EPYC : 7B12", "version": "", "# Server": ""} {
		if got := lookup(text, key); got != want {
			t.Errorf("lookup(%q) = %q, want %q", key, got, want)
		}
	}
	if got := field(filepath.Join(t.TempDir(), "nowhere"), "a"); got != "" {
		t.Errorf("field of a file that is not there = %q", got)
	}
}

func TestParsePlan(t *testing.T) {
	t.Parallel()
	tests := []struct {
		args   []string
		rounds int // 0 is an error
		quick  bool
	}{
		{nil, 5, false},
		{[]string{"-n", "3"}, 3, false},
		{[]string{"-quick", "-n", "3"}, 1, true},
		{[]string{"-n", "0"}, 0, false},
		{[]string{"fast"}, 0, false},
		{[]string{"-fast"}, 0, false},
		{[]string{"-h"}, 0, false},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.args), func(t *testing.T) {
			t.Parallel()
			full, _ := parsePlan(nil, io.Discard)
			p, err := parsePlan(tt.args, io.Discard)
			if p.rounds != tt.rounds || (err != nil) != (tt.rounds == 0) {
				t.Errorf("parsePlan = %+v, %v; want %d rounds", p, err, tt.rounds)
			}
			if err == nil && (p.noops < full.noops && p.submit < full.submit) != tt.quick {
				t.Errorf("parsePlan = %+v, want less than %+v: %t", p, full, tt.quick)
			}
		})
	}
}
