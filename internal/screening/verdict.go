package screening

// said is the result of a list as a whole.
type said struct {
	clear, hit, confirmed bool
	number                [len(kinds)]int64
	known                 bool // all three numbers
	short                 bool // not all announced hits are listed
}

// verdict gives the check its outcome.
func (c *check) verdict(flowID string, raw []byte) Check {
	c.joinUnnamed()
	out := Check{FlowID: flowID, Raw: raw, Searched: c.searched, Announced: Counts{Known: len(c.lists) > 0}}
	hit, confirmed, allClear, allTold := false, false, true, true
	for _, l := range c.lists {
		s := c.weigh(l)
		hit, confirmed = hit || s.hit, confirmed || s.confirmed
		allClear, allTold = allClear && s.clear, allTold && (s.clear || s.hit)
		if l.name != "" {
			out.Lists = append(out.Lists, l.name)
		}
		out.Hits = append(out.Hits, l.hits...)
		out.Announced.Known = out.Announced.Known && s.known
		for i := range kinds {
			out.Announced.Number[i] += s.number[i]
		}
	}
	out.Outcome = c.outcome(hit, confirmed, allClear, allTold)
	out.Why = c.why
	out.Complete = out.Outcome != Unknown && len(c.why) == 0
	return out
}

// joinUnnamed joins the list without a name to the only named one.
func (c *check) joinUnnamed() {
	if len(c.lists) != 2 {
		return
	}
	named, unnamed := c.lists[0], c.lists[1]
	if named.name == "" {
		named, unnamed = unnamed, named
	}
	if unnamed.name != "" {
		return
	}
	named.words = append(named.words, unnamed.words...)
	named.numbers = append(named.numbers, unnamed.numbers...)
	named.hits = append(named.hits, unnamed.hits...)
	c.lists = []*list{named}
}

// weigh adds up the parts of one list, and doubts the check where they contradict each
// other.
func (c *check) weigh(l *list) said {
	var s said
	for _, w := range l.words {
		s.clear = s.clear || w == clearWord
		s.hit = s.hit || w.hit()
		s.confirmed = s.confirmed || w == confirmed
	}
	for _, n := range l.numbers {
		all, sum := true, int64(0)
		for i := range kinds {
			all = all && n.known[i]
			sum += n.number[i]
		}
		s.known = s.known || all
		s.clear = s.clear || all && sum == 0
		s.hit = s.hit || sum > 0
	}
	s.hit = s.hit || len(l.hits) > 0
	if s.hit && s.clear {
		c.doubt(whyContradiction)
	}
	for i := range kinds {
		c.compare(l, i, &s)
	}
	if s.hit && len(l.hits) == 0 || s.short {
		c.doubt(whyNotListed)
	}
	return s
}

// compare compares the numbers of hits of one kind that a list announces with each
// other and with the hits that it lists.
func (c *check) compare(l *list, i int, s *said) {
	least, most, known := int64(0), int64(0), false
	for _, n := range l.numbers {
		if !n.known[i] {
			continue
		}
		if !known {
			least = n.number[i]
		}
		least, most, known = min(least, n.number[i]), max(most, n.number[i]), true
	}
	s.number[i] = most
	if least != most {
		c.doubt(whyNumbers)
	}
	listed := int64(0)
	for _, h := range l.hits {
		if h.Kind == kinds[i] {
			listed++
		}
	}
	if known && listed > most {
		c.doubt(whyTooMany)
	}
	s.short = s.short || listed < most
}

// outcome is clear only where each list says so, or where there is one list at
// most and the record matched under its rule.
func (c *check) outcome(hit, confirmed, allClear, allTold bool) Outcome {
	aboutLists := c.ruleAbout || c.ownType && !c.ruleNamed
	yes, no := c.yes && aboutLists, c.no && (!c.other || c.ruleAbout)
	clear := len(c.lists) > 0 && allClear || len(c.lists) <= 1 && yes
	if yes && (no || hit) || no && clear && !hit {
		c.doubt(whyContradiction)
	}
	switch {
	case c.contradicted():
		return Unknown
	case hit:
		if !allTold {
			c.doubt(whySilentList)
		}
		if confirmed {
			return ConfirmedHit
		}
		return PotentialHit
	case len(c.why) > 0:
		return Unknown
	case clear:
		return Clear
	case no:
		c.doubt(whyNoMatch)
	case len(c.lists) > 1:
		c.doubt(whySilentList)
	default:
		c.doubt(whySilent)
	}
	return Unknown
}

func (c *check) contradicted() bool {
	for _, why := range c.why {
		switch why {
		case whyContradiction, whyNumbers, whyTooMany, whyTwice:
			return true
		}
	}
	return false
}
