// Package screening reads the outcomes of the watchlist checks from a profile's JSON.
// It fails closed: a check is clear only where the vendor says so and
// nothing in the check says otherwise. A check that is contradictory, failed, cut
// off or of an unknown form is unknown, and its readable hits are listed anyway.
//
// It reads the JSON and not the decoded models: decoding drops values that do not fit,
// and takes the last of two members of one name.
package screening

import (
	"bytes"
	"slices"
)

// Outcome is the outcome of a check.
type Outcome int

// The outcomes. The zero value is unknown.
const (
	Unknown Outcome = iota
	Clear
	PotentialHit
	ConfirmedHit
)

// Kind is the kind of list that a hit is on.
type Kind string

// The kinds of lists.
const (
	Watchlist    Kind = "WL"
	AdverseMedia Kind = "AM"
	PEP          Kind = "PEP"
)

var kinds = [...]Kind{Watchlist, AdverseMedia, PEP}

// Counts are announced numbers of hits, in the order of kinds.
type Counts struct {
	Number [len(kinds)]int64
	Known  bool // all of them were announced, and could be read
}

// Hit is one hit.
type Hit struct {
	Kind   Kind   // "" where the answer does not tell it; a kind without a constant for an unknown list
	Source string // the data source's name
	Raw    []byte // JSON: an object, or a string where the vendor sends only a name
	List   string // the list's name, of a hit that is a pair in a text
	URL    string // as List
}

// Check is one watchlist check, or a part of the profile in which one could be
// hidden.
type Check struct {
	FlowID    string
	Raw       []byte // the check's JSON; nil where no check can be recognised
	Outcome   Outcome
	Why       []string // constant texts: why the outcome is unknown, or the list of hits incomplete
	Lists     []string
	Searched  []string // who was searched
	Announced Counts
	Hits      []Hit
	Complete  bool // clear, or all hits are listed
}

// The members of a profile and of a flow that hold no checks, folded. What
// people wrote is in some of them.
var (
	profileMembers = set("id", "ownerids", "created", "lastmodified", "profiletype", "status", "statusmanuallychanged", "notes", "tasks", "user")
	flowMembers    = set("id", "completed", "fielddata", "filedata", "enhancedfiledata")
)

func set(names ...string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}

// Read lists the watchlist checks of a profile, in the order of its JSON.
func Read(profile []byte) []Check {
	r := newReader()
	defer r.free()
	root, ok := r.parse(bytes.TrimPrefix(profile, []byte("\xef\xbb\xbf")))
	if !ok || root.kind != '{' {
		return []Check{{Why: []string{whyNoProfile}}}
	}
	for _, member := range root.kids {
		switch {
		case member.fold == "flowdata":
			r.flows(member)
		case !profileMembers[member.fold] && r.evidence(member):
			r.misplaced(member, "", whyMisplaced)
		}
	}
	return r.checks
}

func (r *reader) flows(flows node) {
	switch {
	case r.open(flows).empty():
	case flows.kind == '{':
		for _, flow := range flows.kids {
			r.flow(flow)
		}
	default:
		r.misplaced(flows, "", whyFlowData)
	}
}

func (r *reader) flow(flow node) {
	switch {
	case r.open(flow).empty():
		return
	case flow.kind != '{':
		r.misplaced(flow, flow.name(), whyFlow)
		return
	}
	for _, member := range flow.kids {
		switch {
		case member.fold == "servicedata":
			r.services(member, flow.name())
		case !flowMembers[member.fold] && r.evidence(member):
			r.misplaced(member, flow.name(), whyMisplaced)
		}
	}
}

func (r *reader) services(services node, flowID string) {
	switch opened := r.open(services); {
	case opened.empty():
	case services.kind == '[':
		for _, service := range services.kids {
			r.service(service, flowID)
		}
	default:
		r.misplaced(services, flowID, whyServiceData)
	}
}

func (r *reader) service(service node, flowID string) {
	switch {
	case r.open(service).empty():
	case service.kind != '{':
		r.misplaced(service, flowID, whyService)
	default:
		c := &check{reader: r}
		c.read(service)
		if c.watchlist || c.unseen {
			r.checks = append(r.checks, c.verdict(flowID, service.raw))
		}
	}
}

// misplaced reports a part of the profile in which a check could be hidden, and lists
// everything in it that looks like a hit.
func (r *reader) misplaced(part node, flowID, why string) {
	c := &check{reader: r}
	c.doubt(why)
	c.search(c.list(""), part)
	found := c.verdict(flowID, nil)
	r.checks = append(r.checks, found)
}

// Summary is one of the vendor's summaries of a check, about one list.
type Summary struct {
	Name      string // the list's name; "" if the summary has none
	Status    string // in the vendor's words
	Announced Counts
	Raw       []byte
}

// Summaries reads watchlistResults as a check's results are read. A value that is not
// a summary has a Raw only.
func Summaries(data []byte) []Summary {
	r := newReader()
	defer r.free()
	n, ok := r.parse(data)
	results := r.open(n)
	switch {
	case !ok:
		return []Summary{{Raw: data}}
	case results.empty():
		return nil
	case results.kind != '{':
		return []Summary{{Raw: n.raw}}
	}
	var all []Summary
	flat := slices.ContainsFunc(results.kids, summaryMember)
	if flat {
		unnamed := r.summarise(results)
		unnamed.Raw = n.raw
		all = append(all, unnamed)
	}
	for _, member := range results.kids {
		opened := r.open(member)
		if flat && (summaryMember(member) || opened.kind != '{') {
			continue
		}
		s := r.summarise(opened)
		s.Name, s.Raw = member.name(), member.raw
		all = append(all, s)
	}
	return all
}

// ReadSummary reads one summary; ok is false for data that are not JSON.
func ReadSummary(data []byte) (s Summary, ok bool) {
	r := newReader()
	defer r.free()
	n, ok := r.parse(data)
	return r.summarise(r.open(n)), ok
}

func (r *reader) summarise(n node) Summary {
	c := &check{reader: r}
	var s Summary
	if n.kind != '{' {
		return s
	}
	l := c.list("")
	c.summary(l, n)
	for _, member := range n.kids {
		if member.fold == "watchliststatus" || member.fold == "watchliststate" {
			s.Status = r.open(member).text()
		}
	}
	told := c.weigh(l)
	s.Announced = Counts{Number: told.number, Known: told.known}
	return s
}
