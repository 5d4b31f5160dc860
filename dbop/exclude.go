package dbop

// CannotExclude reports whether a condition by its form excludes no row, so
// that an update or delete under it would be one of the whole table: no
// condition at all; all of none; one of several that holds for every row; not
// among no values; a column that is null or is not. What a $not leaves out is
// not looked at: alone it is taken to exclude nothing.
//
// A condition that only happens to hold for every row is not caught here;
// max_affected is for those.
func CannotExclude(c Cond) bool {
	switch c := c.(type) {
	case And:
		for _, part := range c {
			if !CannotExclude(part) {
				return false
			}
		}
		return true
	case Or:
		return holdsForEvery(c, make(map[IsNull]bool))
	case In:
		return c.Negated && len(c.Values) == 0
	case Compare, IsNull:
		return false
	}
	return true
}

// holdsForEvery reports whether a part excludes nothing, or two of them do so
// between them: a column is null, and the same is not. nulls are the tests for
// null met so far.
func holdsForEvery(parts Or, nulls map[IsNull]bool) bool {
	for _, part := range parts {
		switch c := part.(type) {
		case IsNull:
			if nulls[IsNull{Column: c.Column, Negated: !c.Negated}] {
				return true
			}
			nulls[c] = true
		case Or:
			if holdsForEvery(c, nulls) {
				return true
			}
		default:
			if CannotExclude(part) {
				return true
			}
		}
	}
	return false
}
