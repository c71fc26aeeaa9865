package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/trulioo-go/trulioo"
)

// printer writes for people. masked hides what was entered and whom a list names.
type printer struct {
	out    io.Writer
	masked bool
}

func (p printer) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

func (p printer) secret(value string) string {
	if p.masked && value != "" {
		return "***"
	}
	return value
}

func (p printer) profile(profile *trulioo.Profile) {
	p.line("profile %s, %s", p.secret(profile.ID), profile.Status)
	p.entered(profile)
	p.matches(profile)
	p.hits(profile)
	p.line("  files: %d", len(profile.Files()))
}

// entered prints each role's answer; those of several flows can differ.
func (p printer) entered(profile *trulioo.Profile) {
	p.line("  entered:")
	for _, role := range roles(profile) {
		if value, agree := profile.Value(role); agree {
			p.line("    %s: %s", role, p.secret(value))
			continue
		}
		for _, answer := range profile.Values(role) {
			p.line("    %s, one of several: %s", role, p.secret(answer.Value))
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

func (p printer) matches(profile *trulioo.Profile) {
	p.line("  checks:")
	for _, service := range profile.Services() {
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

func (p printer) hits(profile *trulioo.Profile) {
	hits, err := profile.WatchlistHits()
	if err != nil && !errors.Is(err, trulioo.ErrNoDetails) {
		p.line("  watchlist hits: not all could be read: %v", err)
	}
	p.line("  watchlist hits: %d", len(hits))
	for _, hit := range hits {
		p.line("    %s, %s, score %.2f: %s", hit.Kind, hit.SourceAgencyName, hit.Score, p.secret(hit.SubjectMatched))
	}
}
