package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

// answers lists everything that was entered, the same answer of several flows once.
func answers(p *trulioo.Profile) []trulioo.Answer {
	var all []trulioo.Answer
	seen := map[[2]string]bool{}
	for _, flowID := range slices.Sorted(maps.Keys(p.FlowData)) {
		fields := p.FlowData[flowID].FieldData
		for _, fieldID := range slices.Sorted(maps.Keys(fields)) {
			field := fields[fieldID]
			for _, value := range field.Value {
				key := [2]string{label(field), strings.TrimSpace(value)}
				if key[1] != "" && !seen[key] {
					seen[key] = true
					all = append(all, trulioo.Answer{FlowID: flowID, Field: field, Value: key[1]})
				}
			}
		}
	}
	return all
}

// label is what a field is called: its name in the workflow, or its role.
func label(f trulioo.Field) string {
	return cmp.Or(f.Name, string(f.Role), f.NormalizedName, f.ID)
}

// screenings prints what each watchlist check came to, and why where that is not plain.
func (p *profilePrinter) screenings(profile *trulioo.Profile) {
	screenings := profile.Screenings()
	if len(screenings) == 0 {
		return
	}
	p.title("Screenings")
	for _, s := range screenings {
		name := cmp.Or(strings.Join(s.Lists, ", "), s.Service.NodeTitle, "watchlist check")
		p.line("  %s %s  %s", term.Pad(term.Cut(term.Clean(name), 28), 28), p.out.Paint(outcomeStyle(s.Outcome), term.Pad(s.Outcome.String(), 13)), minute(s.Service.Timestamp))
		if s.Why != "" {
			p.line("    %s", p.fit(s.Why, 4))
		}
		for _, hit := range s.Hits {
			p.line("    %s", p.fit(fmt.Sprintf("%s %.2f %s, %s", hit.Kind, hit.Score, p.secret(hit.SubjectMatched), hit.SourceAgencyName), 4))
		}
	}
}

func outcomeStyle(o trulioo.ScreeningOutcome) term.Style {
	switch {
	case o == trulioo.ScreeningClear:
		return term.Green
	case o.Hit():
		return term.Red
	}
	return term.Yellow
}
