package screening

import (
	"slices"
	"strings"
)

// The reasons why an outcome is unknown or a list of hits incomplete. They hold
// nothing of the profile, so that they can be logged.
const (
	whyNoProfile     = "the profile could not be read"
	whyFlowData      = "flowData could not be read, and may hide a check"
	whyFlow          = "a flow could not be read, and may hide a check"
	whyServiceData   = "serviceData could not be read, and may hide a check"
	whyService       = "a service result could not be read, and may hide a check"
	whyMisplaced     = "watchlist data stand in an unexpected place"
	whyDetails       = "the full service details could not be read, and may hide a hit"
	whyField         = "a watchlist's data could not be read"
	whyHit           = "a hit could not be read"
	whyState         = "a watchlist's state is an unknown word"
	whyTwice         = "a name occurs twice, with two values"
	whyMatch         = "whether the record matched could not be read"
	whyNotCompleted  = "the check is not completed"
	whyFailed        = "a data source, the record or the transaction reports an error"
	whySourceStatus  = "a data source's status is an unknown word"
	whyContradiction = "the check contradicts itself about whether there is a hit"
	whyNumbers       = "the check contradicts itself about the number of hits"
	whyTooMany       = "more hits are listed than announced"
	whyNotListed     = "not all announced hits are listed"
	whyNoMatch       = "the record did not match, and no list says why"
	whySilent        = "nothing says that there is no hit"
	whySilentList    = "one of several lists does not say that there is no hit"
)

// check is one check while it is read. Once it is in doubt, nothing that is read later
// can make it clear.
type check struct {
	*reader
	watchlist bool // it looks at watchlists
	unseen    bool // it cannot be seen whether it does
	ownType   bool // its node type is a watchlist's
	other     bool // its node type is another's
	ruleNamed bool
	ruleAbout bool // its rule is about watchlists
	yes, no   bool // the record matched, or it did not
	why       []string
	lists     []*list
	searched  []string
}

// doubt notes a reason why the check is not clear and its list of hits may be
// incomplete.
func (c *check) doubt(why string) {
	if !slices.Contains(c.why, why) {
		c.why = append(c.why, why)
	}
}

// once doubts an object that gives a name twice.
func (c *check) once(n node) {
	if n.contradicts() {
		c.doubt(whyTwice)
	}
}

// read reads a service result. Its types come first: they say how to read the rest.
func (c *check) read(service node) {
	c.once(service)
	for _, member := range service.kids {
		if member.fold == "nodetype" {
			c.ownType = c.ownType || watchlistType(member.text())
			c.other = c.other || otherType(member.text())
		}
	}
	c.other = c.other && !c.ownType
	c.watchlist = c.ownType
	for _, member := range service.kids {
		c.member(member)
	}
}

func (c *check) member(m node) {
	switch m.fold {
	case "fullservicedetails":
		c.details(m)
	case "watchlistresults":
		c.results(m)
	case "match", "secondarymatch":
		c.matched(m, m.fold == "match")
	case "servicestatus":
		c.status(m)
	case "errors", "error":
		c.failure(m)
	case "nodetype", "timestamp", "nodeid", "transactioninfo":
	case "nodetitle":
		// The account's own words, which say something only where nothing else does.
		if !c.other && c.evidence(m) {
			c.watchlist = true
		}
	default:
		c.stray(m)
	}
}

// stray reads a member that is not known.
func (c *check) stray(m node) {
	if c.evidence(m) {
		c.watchlist = true
		c.doubt(whyMisplaced)
		c.search(c.list(""), m)
	}
}

// matched reads whether the record matched. Only the first rule's outcome can
// speak for a clear check.
func (c *check) matched(m node, first bool) {
	switch text := strings.ToLower(strings.TrimSpace(m.text())); {
	case text == "true" || text == "1" || text == "match":
		c.yes = c.yes || first
	case text == "false" || text == "0" || text == "nomatch":
		c.no = true
	case !m.empty():
		c.doubt(whyMatch)
	}
}

func (c *check) status(m node) {
	if !m.empty() && !strings.EqualFold(strings.TrimSpace(m.text()), "completed") {
		c.doubt(whyNotCompleted)
	}
}

// failure reads a list of errors. Any error puts the check in doubt.
func (c *check) failure(m node) {
	if !c.open(m).empty() {
		c.doubt(whyFailed)
	}
}

// details reads the vendor's transaction record.
func (c *check) details(m node) {
	details := c.open(m)
	switch {
	case details.empty():
		return
	case details.kind != '{':
		c.notSeen(details)
		return
	}
	c.once(details)
	recorded := false
	for _, member := range details.kids {
		switch member.fold {
		case "record":
			recorded = true
			c.record(member)
		case "errors", "error":
			c.failure(member)
		case "inputfields":
		default:
			c.stray(member)
		}
	}
	if !recorded {
		c.notSeen(details)
	}
}

// notSeen reads a part of the details in which any data source could be.
func (c *check) notSeen(n node) {
	c.unseen = true
	c.doubt(whyDetails)
	c.search(c.list(""), n)
}

func (c *check) record(m node) {
	record := c.open(m)
	switch {
	case record.empty():
		return
	case record.kind != '{':
		c.notSeen(record)
		return
	}
	c.once(record)
	for _, member := range record.kids {
		switch member.fold {
		case "recordstatus", "secondaryrecordstatus":
			c.matched(member, member.fold == "recordstatus")
		case "errors", "error":
			c.failure(member)
		case "rule":
			c.rule(member)
		case "datasourceresults":
			c.sources(member)
		case "supplementaryrules":
		default:
			c.stray(member)
		}
	}
}

// rule reads which rule decided about a match.
func (c *check) rule(m node) {
	rule := c.open(m)
	c.once(rule)
	for _, member := range rule.kids {
		if member.fold == "rulename" && !member.empty() {
			c.ruleNamed = true
		}
	}
	if c.evidence(rule) {
		c.ruleAbout, c.watchlist = true, true
	}
}

func (c *check) sources(m node) {
	sources := c.open(m)
	switch {
	case sources.empty():
	case sources.kind == '[':
		for _, source := range sources.kids {
			c.source(source)
		}
	default:
		c.notSeen(sources)
	}
}

// source reads one data source's result. In a watchlist check each source is a
// watchlist's.
func (c *check) source(m node) {
	source := c.open(m)
	switch {
	case source.empty():
		return
	case source.kind != '{':
		c.notSeen(source)
		return
	case !c.ownType && !c.evidence(source):
		return
	}
	c.watchlist = true
	c.once(source)
	l := c.list(source.textOf("datasourcename"))
	for _, member := range source.kids {
		switch member.fold {
		case "appendedfields":
			c.fields(l, member)
		case "errors", "error":
			c.failure(member)
		case "datasourcestatus":
			c.sourceStatus(member)
		case "datasourcename", "datasourcefields", "fieldgroups":
		default:
			c.stray(member)
		}
	}
}

func (c *check) sourceStatus(m node) {
	switch strings.ToLower(strings.TrimSpace(m.text())) {
	case "match", "success", "successful", "completed", "ok":
	case "nomatch":
		c.no = true
	default:
		if !m.empty() {
			c.doubt(whySourceStatus)
		}
	}
}

// textOf is the text of the first member of a name.
func (n node) textOf(fold string) string {
	for _, kid := range n.kids {
		if kid.fold == fold {
			return strings.TrimSpace(kid.text())
		}
	}
	return ""
}

// fields reads the appended fields of a watchlist's source.
func (c *check) fields(l *list, m node) {
	fields := c.open(m)
	switch {
	case fields.empty():
		return
	case fields.kind != '[':
		c.doubt(whyField)
		c.search(l, fields)
		return
	}
	for _, element := range fields.kids {
		switch field := c.open(element); {
		case field.empty():
		case field.kind == '{':
			c.field(l, field)
		default:
			c.doubt(whyField)
			c.search(l, field)
		}
	}
}

func (c *check) field(l *list, field node) {
	c.once(field)
	name := folded(field.textOf("fieldname"))
	for _, member := range field.kids {
		switch member.fold {
		case "fieldname":
		case "data":
			c.data(l, name, member)
		default:
			if aboutHits(member.fold) || c.evidence(member) {
				c.doubt(whyField)
				c.search(l, member)
			}
		}
	}
}

// data reads the value of one appended field.
func (c *check) data(l *list, name string, data node) {
	switch name {
	case "watchlistfullname":
		if text := strings.TrimSpace(data.text()); text != "" && !slices.Contains(c.searched, text) {
			c.searched = append(c.searched, text)
		}
	case "watchliststate", "watchliststatus":
		c.state(l, data)
	case "watchlistdata":
		c.numbers(l, data)
	case "watchlisthitdetails":
		c.hitDetails(l, data)
	default:
		if aboutHits(name) && !data.empty() || c.evidence(data) || readWord(c.open(data).text()).hit() {
			c.doubt(whyField)
			c.search(l, data)
		}
	}
}

// results reads the vendor's summaries: by the list's name, or a single one
// without a name.
func (c *check) results(m node) {
	if m.kind == 'n' {
		return
	}
	c.watchlist = true
	results := c.open(m)
	switch {
	case results.empty():
		return
	case results.kind != '{':
		c.doubt(whyField)
		c.search(c.list(""), results)
		return
	}
	c.once(results)
	if slices.ContainsFunc(results.kids, summaryMember) {
		c.summary(c.list(""), results)
		return
	}
	for _, member := range results.kids {
		l := c.list(member.name())
		switch summary := c.open(member); {
		case summary.empty():
		case summary.kind == '{':
			c.summary(l, summary)
		default:
			c.doubt(whyField)
			c.search(l, summary)
		}
	}
}

// summaryMember reports whether a member belongs to a summary, so that its name is not a
// list's.
func summaryMember(m node) bool {
	_, number := countNames[m.fold]
	return number || m.fold == "watchliststatus" || m.fold == "watchliststate" || m.fold == "watchlisthitdetails"
}

func (c *check) summary(l *list, summary node) {
	c.once(summary)
	c.numbersOf(l, summary)
	for _, member := range summary.kids {
		switch member.fold {
		case "watchliststatus", "watchliststate":
			c.state(l, member)
		case "watchlisthitdetails":
			c.hitDetails(l, member)
		case "errors", "error":
			c.failure(member)
		default:
			_, number := countNames[member.fold]
			switch opened := c.open(member); {
			case number:
			case opened.kind == '{' && c.evidence(opened): // a named list beside the members of one without
				c.summary(c.list(member.name()), opened)
			case aboutHits(member.fold) && !opened.empty() && opened.text() != "0" && opened.text() != "false", readWord(opened.text()).hit():
				c.doubt(whyField)
				c.search(l, opened)
			}
		}
	}
}
