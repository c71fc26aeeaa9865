package term

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Column is one column of a table.
type Column struct {
	Title string
	Width int // at least; the last column can have 0 and takes the rest of the line
}

// Table prints rows as they come, so the widths are fixed beforehand.
type Table struct {
	screen  *Screen
	columns []Column
	begun   bool
}

// NewTable makes a table. The head is printed with the first row.
func NewTable(screen *Screen, columns ...Column) *Table {
	return &Table{screen: screen, columns: columns}
}

// Cell is text with a style.
type Cell struct {
	Text  string
	Style Style
}

// Row prints one row.
func (t *Table) Row(cells ...Cell) error {
	if !t.begun {
		t.begun = true
		head := make([]Cell, len(t.columns))
		for i, column := range t.columns {
			head[i] = Cell{strings.ToUpper(column.Title), Bold}
		}
		if err := t.print(head); err != nil {
			return err
		}
	}
	return t.print(cells)
}

func (t *Table) print(cells []Cell) error {
	var line strings.Builder
	left := t.screen.Width
	for i, cell := range cells {
		text := Clean(cell.Text)
		last := i == len(cells)-1
		if t.screen.Width > 0 {
			text = Cut(text, max(left, 1))
			left -= max(runewidth.StringWidth(text), t.columns[i].Width) + 2
		}
		padding := ""
		if !last {
			padding = strings.Repeat(" ", max(0, t.columns[i].Width-runewidth.StringWidth(text))+2)
		}
		line.WriteString(t.screen.Paint(cell.Style, text) + padding)
		if t.screen.Width > 0 && left <= 0 {
			break
		}
	}
	_, err := t.screen.Write([]byte(strings.TrimRight(line.String(), " ") + "\n"))
	return err
}
