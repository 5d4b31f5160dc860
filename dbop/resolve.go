package dbop

import (
	"slices"

	"github.com/asyncops/asyncops/job"
	"github.com/go-json-experiment/json/jsontext"
)

// Resolve returns the operation with the values that its references stand for,
// and leaves the operation itself as it is. keepsJSON reports whether a column
// holds JSON. What the rules for literals refuse is refused here, too: nothing
// compares with null but by $eq, $ne, $in and $nin, and a where of an update or
// delete must be able to exclude something.
//
// Errors are *job.Failure: permanent, invalid_reference.
func (o Operation) Resolve(results *Results, keepsJSON func(column string) bool) (Operation, error) {
	r := resolver{results: results, keepsJSON: keepsJSON}
	o.Where = r.cond(o.Where)
	o.Set = r.assignments(o.Set)
	for i, row := range o.Rows {
		if resolved := r.assignments(row); len(row) > 0 && &resolved[0] != &row[0] {
			if !r.ownRows {
				o.Rows, r.ownRows = slices.Clone(o.Rows), true
			}
			o.Rows[i] = resolved
		}
	}
	o.Args = r.arguments(o.Args)
	changes := o.Op == UpdateOne || o.Op == UpdateMany || o.Op == DeleteOne || o.Op == DeleteMany
	if r.err == nil && r.found && changes && CannotExclude(o.Where) {
		return o, job.Permanent(job.CodeInvalidReference, "with what its references stand for, the where cannot exclude any row")
	}
	return o, r.err
}

// resolver replaces references. The first error stays.
type resolver struct {
	results   *Results
	keepsJSON func(column string) bool
	found     bool // some reference
	ownRows   bool // the rows are not the operation's own any more
	err       error
}

// refers reports whether a value has to be looked up.
func (v Value) refers() bool { return v.Kind == Reference || v.Kind == Template }

func (r *resolver) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// value looks a value up, for a column.
func (r *resolver) value(v Value, column string) Value {
	if !v.refers() {
		return v
	}
	return r.lookUp(v, r.keepsJSON(column))
}

// lookUp looks a reference up. What keeps JSON takes {"$base64":…} as it stands.
func (r *resolver) lookUp(v Value, keepsJSON bool) Value {
	switch {
	case r.err != nil:
		return v
	case v.Kind == Template:
		r.found = true
		text, err := fill(jsontext.Value(v.Text), r.results.find)
		r.fail(err)
		return Value{Kind: JSON, Text: string(text)}
	}
	r.found = true
	found, err := r.results.value(v.Text, !keepsJSON)
	r.fail(err)
	return found
}

// assignments returns the same slice if there is nothing to replace.
func (r *resolver) assignments(set []Assignment) []Assignment {
	own := false
	for i, a := range set {
		if !a.Value.refers() {
			continue
		}
		if !own {
			set, own = slices.Clone(set), true
		}
		value := r.value(a.Value, a.Column)
		if a.Op == Inc && r.err == nil {
			if value.Kind != Number && (value.Kind != String || !decimal.MatchString(value.Text)) {
				r.fail(unresolved(a.Value.Text, "not a number, which $inc of "+a.Column+" wants"))
			}
			value.Kind = Number
		}
		set[i].Value = value
	}
	return set
}

// arguments returns the same slice if there is nothing to replace.
func (r *resolver) arguments(args []Argument) []Argument {
	if !slices.ContainsFunc(args, func(a Argument) bool { return a.Value.refers() }) {
		return args
	}
	args = slices.Clone(args)
	for i, a := range args {
		if !a.Value.refers() {
			continue
		}
		args[i].Value = r.lookUp(a.Value, a.Type == ParamJSON)
		if fault := a.Type.fault(args[i].Value); fault != "" && r.err == nil {
			r.fail(unresolved(a.Value.Text, "parameter "+a.Name+": "+fault))
		}
	}
	return args
}

func (r *resolver) cond(c Cond) Cond {
	switch c := c.(type) {
	case And:
		return And(r.conds(c))
	case Or:
		return Or(r.conds(c))
	case Not:
		return Not{r.cond(c.Cond)}
	case Compare:
		return r.compare(c)
	case In:
		return r.in(c)
	}
	return c
}

func (r *resolver) conds(parts []Cond) []Cond {
	resolved := make([]Cond, len(parts))
	for i, part := range parts {
		resolved[i] = r.cond(part)
	}
	return resolved
}

func (r *resolver) compare(c Compare) Cond {
	if !c.Value.refers() {
		return c
	}
	value := r.bounded(c.Value, c.Column)
	if r.err != nil {
		return c
	}
	cond, _, fault := comparison(c.Column, c.Op, value)
	if fault != "" {
		r.fail(unresolved(c.Value.Text, fault))
	}
	return cond
}

func (r *resolver) in(c In) Cond {
	if !slices.ContainsFunc(c.Values, Value.refers) {
		return c
	}
	resolved, null := In{Column: c.Column, Negated: c.Negated}, false
	for _, v := range c.Values {
		if v = r.bounded(v, c.Column); v.Kind == Null {
			null = true
			continue
		}
		resolved.Values = append(resolved.Values, v)
	}
	return orNull(resolved, null)
}

// bounded looks a value of a where up, which may be as long as a literal.
func (r *resolver) bounded(v Value, column string) Value {
	found := r.value(v, column)
	if v.refers() && len(found.Text) > MaxWhereText {
		r.fail(unresolved(v.Text, "too long to compare with"))
	}
	return found
}
