package trulioo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text is the profile for a person to read on a screen: the status, what was
// entered, the outcome of each screening and check, the files, notes and tasks. Its
// form may change with any version, so no program should read it. The id is not in
// it.
//
// Everything that people wrote goes through mask first, and so do the names on
// watchlists. Text(Mask) is for screens that others may see. A nil mask shows
// everything, the messages of data sources too. Times are UTC. Control characters,
// which a terminal could obey, are replaced.
func (p Profile) Text(mask func(value string) string) string {
	t := &profileText{mask: mask}
	screenings := p.Screenings() // once: it reads the whole profile
	t.head(p, outcomeOf(screenings))
	t.entered(p)
	t.screenings(screenings)
	t.checks(p.checks(screenings))
	t.files(p)
	t.notes(p)
	return t.String()
}

// profileText is written line by line: a title at the edge, a name and what
// belongs to it below.
type profileText struct {
	strings.Builder

	mask func(string) string
}

const nameColumn = 28

func (t *profileText) title(text string) { _, _ = t.WriteString("\n" + text + "\n") }

func (t *profileText) line(indent int, parts ...string) {
	_, _ = t.WriteString(strings.Repeat(" ", indent) + strings.TrimRight(printable(strings.Join(parts, " ")), " ") + "\n")
}

// pair aligns the values of names. A name that is too long moves its value.
func (t *profileText) pair(indent int, name, value string) {
	name = printable(name)
	t.line(indent, name+strings.Repeat(" ", max(0, nameColumn+2-indent-utf8.RuneCountInString(name))), value)
}

// own masks a text that a person wrote, or that is about a person.
func (t *profileText) own(text string) string {
	if t.mask == nil {
		return text
	}
	return t.mask(text)
}

// printable replaces control characters, and the marks that turn the direction
// of what is read around them.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u00ad':
			return '\ufffd'
		}
		return r
	}, text)
}

func (t *profileText) head(p Profile, outcome ScreeningOutcome) {
	by := ""
	if p.StatusManuallyChanged {
		by = ", set by hand"
	}
	t.line(0, cmp.Or(string(p.Status), "no status")+by)
	t.line(0, "created "+minute(p.Created)+", changed "+minute(p.LastModified))
	t.line(0, "watchlists, all together: "+outcome.String())
}

// minute is a time for people.
func minute(t Time) string {
	if t.IsZero() {
		return "at no known time"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// entered lists what was answered to each question; where flows differ, the
// answers stand one below the other.
func (t *profileText) entered(p Profile) {
	t.title("Entered")
	var questions []string
	names, values := map[string]string{}, map[string][]string{}
	for _, answer := range p.answers(func(Field) bool { return true }) {
		f := answer.Field
		question := cmp.Or(string(sameRole(f.Role)), bareName(f.NormalizedName), bareName(f.Name), f.ID)
		if _, asked := names[question]; !asked {
			names[question] = cmp.Or(strings.TrimSpace(f.Name), string(f.Role), f.NormalizedName, f.ID)
			questions = append(questions, question)
		}
		values[question] = added(values[question], strings.TrimSpace(answer.Value))
	}
	if len(questions) == 0 {
		t.line(2, "nothing")
	}
	for _, question := range questions {
		t.pair(2, names[question], t.own(values[question][0]))
		for _, other := range values[question][1:] {
			t.pair(2, "  or, in another place", t.own(other))
		}
	}
}

// added appends text, unless it is there already.
func added(list []string, text string) []string {
	if slices.Contains(list, text) {
		return list
	}
	return append(list, text)
}

// screenings shows the outcome of each watchlist check, and the reason where it is
// unknown.
func (t *profileText) screenings(screenings []Screening) {
	if len(screenings) == 0 {
		return
	}
	t.title("Screenings")
	for _, s := range screenings {
		name := cmp.Or(strings.Join(s.Lists, ", "), s.Service.NodeTitle, "watchlist check")
		t.pair(2, name, fmt.Sprintf("%-13s  %s", s.Outcome, minute(s.Service.Timestamp)))
		if s.Why != "" {
			t.line(4, s.Why)
		}
		for _, hit := range s.Hits {
			from := cmp.Or(hit.SourceAgencyName, hit.SourceListType, hit.Datasource, "a list")
			t.line(4, cmp.Or(string(hit.Kind), "hit"), fmt.Sprintf("%.2f", hit.Score), t.own(cmp.Or(hit.SubjectMatched, "no name"))+",", from)
		}
	}
}

// checks lists the checks without a watchlist: a watchlist's match would be read as
// its opposite.
func (t *profileText) checks(checks []Check) {
	begun := false
	for _, check := range checks {
		if check.Screening != nil {
			continue
		}
		if !begun {
			t.title("Checks")
			begun = true
		}
		service := check.Service
		t.pair(2, cmp.Or(service.NodeTitle, string(service.NodeType), "check"), fmt.Sprintf("%-13s  %s", matchWord(service.Match), minute(service.Timestamp)))
		details, err := service.Details()
		if err != nil {
			continue // without a record there is no more to say
		}
		for _, source := range details.Record.DatasourceResults {
			t.pair(4, source.DatasourceName, fieldsOf(source))
		}
		for _, failed := range details.DatasourceErrors() {
			t.line(4, "error", failed.Code, t.message(failed))
		}
	}
}

// message shows the server's text only without a mask, since it can hold anything.
func (t *profileText) message(failed DatasourceError) string {
	text := "of " + cmp.Or(failed.Datasource, "the record")
	if t.mask == nil {
		text += ": " + failed.Message
	}
	return text
}

func matchWord(match *bool) string {
	switch {
	case match == nil:
		return "no outcome"
	case *match:
		return "match"
	}
	return "no match"
}

func fieldsOf(source DatasourceResult) string {
	if len(source.DatasourceFields) == 0 {
		return "no fields"
	}
	matched, differ := 0, ""
	for _, field := range source.DatasourceFields {
		switch field.Status {
		case MatchStatusMatch:
			matched++
		case MatchStatusNoMatch:
			differ += " " + field.FieldName
		}
	}
	text := fmt.Sprintf("%d of %d fields match", matched, len(source.DatasourceFields))
	if differ != "" {
		text += "; not:" + differ
	}
	return text
}

func (t *profileText) files(p Profile) {
	files := p.Files()
	if len(files) == 0 {
		return
	}
	t.title("Files")
	for _, ref := range files {
		field := p.FlowData[ref.FlowID].FieldData[ref.Field]
		t.pair(2, cmp.Or(strings.TrimSpace(field.Name), string(field.Role), ref.Field), t.own(ref.Name()))
	}
}

func (t *profileText) notes(p Profile) {
	if len(p.Notes)+len(p.Tasks) == 0 {
		return
	}
	t.title("Notes and tasks")
	for _, note := range p.Notes {
		t.pair(2, minute(note.Created), t.own(note.Text))
	}
	for _, task := range p.Tasks {
		state := ", open"
		if task.Resolved {
			state = ", done"
		}
		t.pair(2, minute(task.Created)+state, t.own(task.Text))
	}
}
