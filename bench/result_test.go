package main

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		values []float64
		want   float64
	}{
		{"none", nil, 0},
		{"one", []float64{3}, 3},
		{"odd", []float64{9, 1, 2}, 2},
		{"even", []float64{8, 1, 4, 2}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := slices.Clone(tt.values)
			if got := median(tt.values); got != tt.want {
				t.Errorf("median(%v) = %v, want %v", tt.values, got, tt.want)
			}
			if !slices.Equal(tt.values, before) {
				t.Errorf("median left %v, want %v: their order is that of the rounds", tt.values, before)
			}
		})
	}
}

// Ratios are taken within a round, so that their median is not the ratio of
// the medians.
func TestRatios(t *testing.T) {
	t.Parallel()
	r := results{}
	for _, round := range [][2]float64{{10, 5}, {1, 2}, {9, 3}} {
		r.add("ours", sample{value: round[0]})
		r.add("theirs", sample{value: round[1]})
	}
	if got, want := r.ratios("ours", "theirs"), []float64{2, 0.5, 3}; !slices.Equal(got, want) {
		t.Errorf("ratios = %v, want %v", got, want)
	}
	if got, want := r.compare(row{key: "ours", against: "theirs", inverse: true}), []float64{0.5, 2, 1 / 3.0}; !slices.Equal(got, want) {
		t.Errorf("ratios of times = %v, want %v", got, want)
	}
	if got := r.values("ours"); !slices.Equal(got, []float64{10, 1, 9}) {
		t.Errorf("values = %v after the ratios, want them as they were", got)
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		values []float64
		format string
		want   string
	}{
		{"none", nil, perSecond, ""},
		{"one", []float64{1234.5}, perSecond, "1234/s"},
		{"rates", []float64{900, 1100, 1000}, perSecond, "1000/s (900–1100)"},
		{"times", []float64{2, 1, 4}, millis, "2.00 ms (1.00–4.00)"},
		{"memory", []float64{24.96, 25, 26}, mebibytes, "25.0 MiB (25.0–26.0)"},
		{"ratios", []float64{1.5, 1.25}, "%.2f", "1.38 (1.25–1.50)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := spread(tt.values, tt.format); got != tt.want {
				t.Errorf("spread(%v, %q) = %q, want %q", tt.values, tt.format, got, tt.want)
			}
		})
	}
}

func TestCPUText(t *testing.T) {
	t.Parallel()
	micros := func(api, postgres, idle float64) sample {
		us := func(x float64) time.Duration { return time.Duration(math.Round(x * float64(time.Microsecond))) }
		return sample{cpu: map[string]time.Duration{"API": us(api), "PostgreSQL": us(postgres), "idle": us(idle)}}
	}
	r := results{"no CPU": {{value: 1}}, "submit": {micros(10, 400, 0.4), micros(30, 20, 0), micros(20.6, 30, 0.3)}}
	for key, want := range map[string]string{"": "", "no CPU": "", "submit": "PostgreSQL 30, API 21"} {
		if got := cpuText(r, key); got != want {
			t.Errorf("cpuText(%q) = %q, want %q", key, got, want)
		}
	}
}
