package dbop

import "slices"

// OnConflict reads what an insert of rows does with those that are there
// already. To ignore, it needs no columns: any unique constraint may object. To
// update, it needs those of one constraint; update lists the columns that are
// taken from the new row, each of which must have a value in every new row. When
// it is empty, all columns that have one are taken, but for the constraint's.
func (p *Parser) OnConflict(columns []string, action string, update []string, rows [][]Assignment, pointer string) *OnConflict {
	conflict := &OnConflict{
		Columns: p.Columns(columns, pointer+"/columns"),
		Action:  ConflictAction(action),
		Update:  p.Columns(update, pointer+"/update"),
	}
	switch conflict.Action {
	case ConflictIgnore:
		if len(update) > 0 {
			p.Fail(pointer+"/update", CodeNotAllowed, "goes with the action update")
		}
	case ConflictUpdate:
		if len(columns) == 0 {
			p.Fail(pointer+"/columns", CodeRequired, "name the columns of a unique constraint")
		}
		p.conflictUpdate(conflict, rows, pointer+"/update")
	case "":
		p.Fail(pointer+"/action", CodeRequired, "want ignore or update")
	default:
		p.Fail(pointer+"/action", CodeNotAllowed, "want ignore or update")
	}
	return conflict
}

// conflictUpdate checks or completes the columns to update. One that has no
// value in some row is refused: the row that is there would get its default.
func (p *Parser) conflictUpdate(conflict *OnConflict, rows [][]Assignment, pointer string) {
	given := make(map[string]int)
	for _, row := range rows {
		for _, assignment := range row {
			given[assignment.Column]++
		}
	}
	for i, name := range conflict.Update {
		if given[name] < len(rows) && ValidName(name) {
			p.Fail(element(pointer, i), CodeRequired, "not every new row has a value for %s", name)
		}
	}
	if len(conflict.Update) > 0 || len(rows) == 0 {
		return
	}
	for _, assignment := range rows[0] {
		if name := assignment.Column; given[name] == len(rows) && !slices.Contains(conflict.Columns, name) {
			conflict.Update = append(conflict.Update, name)
		}
	}
	if len(conflict.Update) == 0 {
		p.Fail(pointer, CodeRequired, "no column is left to take from the new row; want ignore, or more values")
	}
}
