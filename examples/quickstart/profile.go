package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/trulioo-go/trulioo"
)

// printer writes for people. masked hides what was entered and whom a list names.
type printer struct {
	out    io.Writer
	masked bool
}

func (p printer) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

func (p printer) secret(value string) string {
	if p.masked {
		return trulioo.Mask(value)
	}
	return value
}

func (p printer) profile(profile *trulioo.Profile) {
	p.line("profile %s, %s", p.secret(profile.ID), profile.Status)
	p.entered(profile)
	p.checks(profile)
	p.screenings(profile)
	p.line("  files: %d", len(profile.Files()))
}

// entered prints each role's answer; those of several flows can differ.
func (p printer) entered(profile *trulioo.Profile) {
	p.line("  entered:")
	for _, role := range roles(profile) {
		if role == "" {
			p.named(profile)
			continue
		}
		if value, agree := profile.Value(role); agree {
			p.line("    %s: %s", role, p.secret(value))
			continue
		}
		for _, answer := range profile.Values(role) {
			p.line("    %s, one of several: %s", role, p.secret(answer.Value))
		}
	}
}

// named prints the answers to fields without a role, by the vendor's name or the label.
func (p printer) named(profile *trulioo.Profile) {
	names := map[string]bool{}
	for _, answer := range profile.Values("") {
		names[cmp.Or(answer.Field.NormalizedName, answer.Field.Name)] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		for _, answer := range profile.ValuesNamed(name) {
			p.line("    %s: %s", name, p.secret(answer.Value))
		}
	}
}

// roles are those of the profile's fields.
func roles(profile *trulioo.Profile) []trulioo.Role {
	found := map[trulioo.Role]bool{}
	for _, flow := range profile.FlowData {
		for _, field := range flow.FieldData {
			found[field.Role] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// checks prints the checks that are no watchlists: there a match means that the
// person was found, and for a watchlist it would mean that the person is on no list.
func (p printer) checks(profile *trulioo.Profile) {
	p.line("  checks:")
	for _, service := range profile.Services() {
		if strings.HasSuffix(string(service.NodeType), "_wl") {
			continue
		}
		p.line("    %s: %s", service.NodeTitle, outcome(service.Match))
		details, err := service.Details()
		if err != nil {
			continue // this check has no record, which is no failure
		}
		for _, source := range details.Record.DatasourceResults {
			p.line("      %s: %d of %d fields match", source.DatasourceName, matching(source), len(source.DatasourceFields))
		}
		for _, problem := range details.DatasourceErrors() {
			p.line("      error %s of %s", problem.Code, problem.Datasource)
		}
	}
}

func outcome(match *bool) string {
	switch {
	case match == nil:
		return "no outcome"
	case *match:
		return "match"
	}
	return "no match"
}

func matching(source trulioo.DatasourceResult) int {
	n := 0
	for _, field := range source.DatasourceFields {
		if field.Status == trulioo.MatchStatusMatch {
			n++
		}
	}
	return n
}

// screenings prints what each watchlist check came to, and why where that is not known.
func (p printer) screenings(profile *trulioo.Profile) {
	p.line("  watchlists: %s", profile.ScreeningOutcome())
	for _, screening := range profile.Screenings() {
		p.line("    %s: %s, %d hits listed", screening.Service.NodeTitle, screening.Outcome, len(screening.Hits))
		if screening.Why != "" {
			p.line("      %s", screening.Why)
		}
		for _, hit := range screening.Hits {
			p.line("      %s, %s, score %.2f: %s", hit.Kind, cmp.Or(hit.SourceAgencyName, hit.SourceListType, hit.URL), hit.Score, p.secret(hit.SubjectMatched))
		}
	}
}
