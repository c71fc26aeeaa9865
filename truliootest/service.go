package truliootest

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// hit reports whether client i is on a watchlist: one in eight.
func (a *Account) hit(i int) bool { return a.hash(i, 16)%8 == 0 }

// checks are the types of a workflow's services: documents where there are
// files, a register for a business, and always the watchlists, last.
func checks(files, business bool) []string {
	types := make([]string, 0, 3)
	if files {
		types = append(types, "trulioo_doc_v")
	}
	if business {
		return append(types, "trulioo_kyb_insights", "trulioo_business_wl")
	}
	return append(types, "trulioo_person_wl")
}

// services are the checks and how they came out.
func (a *Account) services(p *pen, i, k int, answers []entered, types []string, full bool, flows int) {
	p.open("serviceData", '[')
	for n, nodeType := range types {
		rng := newRand(a.hash(i, 12), uint64(k)<<8+uint64(n)) //nolint:gosec // indices are not negative
		s := service{
			at:       int64(a.records[i].born) + 60*int64(n+1),
			nodeType: nodeType,
			nodeID:   a.elementID(k, 200+n),
			country:  answers[4].value,
			entered:  answers,
			match:    rng.IntN(5) > 0,
			null:     rng.IntN(7) == 0,
			hit:      n == len(types)-1 && a.hit(i),
			watch:    n == len(types)-1,
			rng:      rng,
		}
		details := 0
		if full {
			details = max(a.spec.DetailsBytes/(len(types)*flows), 1)
		}
		s.write(p, details)
	}
	p.end(']')
}

// service is one check and how it came out.
type service struct {
	at                        int64
	nodeType, nodeID, country string
	entered                   []entered
	match, null, hit, watch   bool
	rng                       *rand.Rand
}

// write writes the service with at least so many bytes of details; 0 is without.
func (s service) write(p *pen, details int) {
	transaction, record := hexID(s.rng.Uint64()), hexID(s.rng.Uint64())
	at := time.Unix(s.at, 0).UTC()
	p.open("", '{')
	p.time("timestamp", s.at)
	p.upper("serviceStatus", "COMPLETED")
	p.text("nodeId", s.nodeID)
	p.text("nodeTitle", "Check "+s.nodeType)
	p.text("nodeType", s.nodeType)
	if s.null {
		p.raw("match", "null")
	} else {
		p.flag("match", s.match)
	}
	p.open("transactionInfo", '{')
	p.text("accountName", "Example Organisation")
	p.text("accountIdentifier", "example-org")
	p.text("countryCode", s.country)
	p.text("date", at.Format("2006-01-02T15:04:05"))
	p.text("shareableToken", hexID(s.rng.Uint64()))
	p.text("transactionId", transaction)
	p.text("transactionRecordId", record)
	p.text("userName", "example_api")
	p.end('}')
	if s.watch {
		s.watchlists(p)
	}
	if details > 0 {
		s.details(p, details, transaction, record, at)
	}
	p.raw("secondaryMatch", "null")
	p.end('}')
}

// watchlists is the summary that services carry even without details.
func (s service) watchlists(p *pen) {
	status, hits := "No Hit", int64(0)
	if s.hit {
		status, hits = "Potential Hit", 1
	}
	p.openMap("watchlistResults")
	p.open("Advanced Watchlist", '{')
	p.text("watchlistStatus", status)
	p.open("watchlistHitDetails", '{')
	p.number("wlHitsNumber", hits)
	p.number("amHitsNumber", hits*2)
	p.number("pepHitsNumber", 0)
	p.end('}')
	p.end('}')
	p.end('}')
}

// details is the vendor's transaction record, with the vendor's capitals.
func (s service) details(p *pen, size int, transaction, record string, at time.Time) {
	stop := len(p.b) + size
	p.open("fullServiceDetails", '{')
	p.text("TransactionID", transaction)
	p.text("UploadedDt", at.Format("2006-01-02T15:04:05"))
	p.text("CompletedDt", at.Add(2*time.Second).Format("2006-01-02T15:04:05"))
	p.text("CountryCode", s.country)
	p.text("ProductName", "Identity Verification")
	p.text("UserGUID", hexID(s.rng.Uint64()))
	p.text("AccountIdentifier", "example-org")
	p.raw("Errors", "[]")
	p.open("InputFields", '[')
	for _, e := range s.entered[:4] {
		p.open("", '{')
		p.text("FieldName", e.role)
		p.text("Value", e.value)
		p.end('}')
	}
	p.end(']')
	p.open("Record", '{')
	p.text("TransactionRecordID", record)
	p.text("RecordStatus", matchWord(s.match))
	p.raw("Errors", "[]")
	p.open("Rule", '{')
	p.text("RuleName", "RuleName")
	p.text("Note", "Example rule 1+1.")
	p.end('}')
	p.raw("SupplementaryRules", "null")
	p.open("DatasourceResults", '[')
	s.watchlistSource(p)
	for n := 0; n < 1 || len(p.b) < stop; n++ {
		s.source(p, n)
	}
	p.end(']')
	p.end('}')
	p.end('}')
}

func matchWord(match bool) string {
	if match {
		return "match"
	}
	return "nomatch"
}

// source is one datasource's result. Every third reports an error, whose code is
// now a string, now a number.
func (s service) source(p *pen, n int) {
	p.open("", '{')
	p.text("DatasourceName", fmt.Sprintf("Credit Agency %d", n+1))
	p.open("DatasourceFields", '[')
	for _, e := range s.entered[:8] {
		p.open("", '{')
		p.text("FieldName", e.role)
		p.text("Status", []string{"match", "match", "nomatch", "missing"}[s.rng.IntN(4)])
		p.end('}')
	}
	p.end(']')
	p.open("AppendedFields", '[')
	p.open("", '{')
	p.text("FieldName", "Score")
	p.text("Data", fmt.Sprint(s.rng.IntN(100)))
	p.end('}')
	p.open("", '{')
	p.text("FieldName", "Register")
	p.raw("Data", `{"Entry":{"Number":12345678901234567890,"Active":true}}`)
	p.end('}')
	p.end(']')
	switch n % 6 {
	case 2:
		p.raw("Errors", `[{"Code":"1001","Message":"The datasource was not available."}]`)
	case 5:
		p.raw("Errors", `[{"Code":1001,"Message":"The datasource was not available."}]`)
	default:
		p.raw("Errors", "[]")
	}
	p.raw("FieldGroups", "[]")
	p.end('}')
}

// watchlistSource has the hits: now as an object, now as JSON in a string.
func (s service) watchlistSource(p *pen) {
	if !s.watch {
		return
	}
	hits := `{"WL_results":[],"AM_results":[],"PEP_results":[]}`
	if s.hit {
		name := s.entered[0].value
		hits = `{"WL_results":[` + hitJSON(name, 0.97, "Sanctions") + `],"AM_results":[` +
			hitJSON(name, 0.81, "Adverse Media") + `,` + hitJSON(name, 0.8, "Adverse Media") + `],"PEP_results":null}`
	}
	p.open("", '{')
	p.text("DatasourceName", "Advanced Watchlist")
	p.raw("DatasourceFields", "[]")
	p.open("AppendedFields", '[')
	p.open("", '{')
	p.text("FieldName", "WatchlistHitDetails")
	if s.rng.IntN(2) == 0 {
		p.raw("Data", hits)
	} else {
		p.text("Data", hits)
	}
	p.end('}')
	p.end(']')
	p.raw("Errors", "[]")
	p.raw("FieldGroups", "[]")
	p.end('}')
}

func hitJSON(name string, score float64, list string) string {
	return fmt.Sprintf(`{"score":%g,"subjectMatched":%s,"sourceListType":%q,"sourceRegion":"Global",`+
		`"sourceAgencyName":"Example Agency","URL":"https://lists.example.com/%d"}`,
		score, appendText(nil, name), list, len(name))
}
