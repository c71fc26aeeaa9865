package truliootest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// screening is the outcome of a client's watchlist check.
type screening struct {
	source string // the data source's name
	failed bool
	older  bool // the hits are a text of list|url pairs
	hits   [3]int
}

// The kinds of lists in the order of screening.hits, as the vendor's members
// begin, with the number's name in a summary.
var listKinds = [...]struct{ prefix, number string }{{"WL", "wlHitsNumber"}, {"AM", "amHitsNumber"}, {"PEP", "pepHitsNumber"}}

func (s screening) hit() bool { return s.hits != [3]int{} }

// state is the vendor's word for the outcome.
func (s screening) state() string {
	switch {
	case !s.hit():
		return "No Hit"
	case s.older:
		return "Hit"
	}
	return "Potential Hit"
}

// screening is the outcome of client i: hits for one in eight, a source that failed for
// one in sixteen, else clear. In the test half all are clear.
func (a *Account) screening(i int) screening {
	chance := a.hash(i, 16)
	s := screening{source: "Advanced Watchlist"}
	switch {
	case a.spec.Mocks:
	case chance%16 == 5:
		s.failed = true
	case chance%8 == 0:
		s.hits = [...][3]int{{1, 0, 0}, {0, 2, 0}, {0, 0, 1}, {1, 2, 1}, {2, 0, 0}}[chance/8%5]
		if s.older = s.hits == [3]int{2, 0, 0}; s.older {
			s.source = "International Watchlist"
		}
	}
	return s
}

// check is one kind of check with the title of its step in the workflow.
type check struct{ nodeType, title string }

// checks are the checks of a workflow: the watchlists, which run last and are listed
// first, documents where there are files, and a register or an identity verification.
func checks(files, business bool) []check {
	all := []check{{"trulioo_person_wl", "Person Watchlist Screening"}, {"trulioo_eidv", "Person Match"}}
	if business {
		all = []check{{"trulioo_business_wl", "Business Watchlist Screening"}, {"trulioo_kyb_insights", "Business Insights"}}
	}
	if files {
		all = append(all, check{"trulioo_doc_v", "Document Verification"})
	}
	return all
}

// services writes the checks with their outcomes.
func (a *Account) services(p *jsonWriter, i, k int, answers []entered, types []check, full bool, flows int) {
	p.open("serviceData", '[')
	for n, kind := range types {
		rng := newRand(a.hash(i, 12), uint64(k)<<8+uint64(n)) //nolint:gosec // indices are not negative
		s := service{
			account: a,
			at:      int64(a.records[i].born) + 60*int64(len(types)-n),
			check:   kind,
			nodeID:  a.elementID(k, 200+n),
			country: answers[4].value,
			entered: answers,
			match:   a.spec.Mocks || rng.IntN(5) > 0,
			null:    !a.spec.Mocks && rng.IntN(7) == 0,
			watch:   n == 0,
			rng:     rng,
		}
		if s.watch {
			s.screening = a.screening(i)
			s.match, s.null = !s.screening.hit() && !s.screening.failed, false
		}
		details := 0
		if full {
			details = max(a.spec.DetailsBytes/((len(types)-1)*flows), 1)
		}
		s.write(p, details)
	}
	p.end(']')
}

// service is one check with its outcome.
type service struct {
	account *Account
	at      int64
	check
	nodeID, country    string
	entered            []entered
	match, null, watch bool
	screening          screening
	rng                *rand.Rand
}

// Times as the vendor's records have them: two ways of one zone.
const (
	uploadedLayout  = "2006-01-02T15:04:05.000Z"
	completedLayout = "2006-01-02T15:04:05.000+00:00"
)

// write writes the service with at least this many bytes of details; 0 means no
// details. A watchlist has as many bytes as it needs.
func (s service) write(p *jsonWriter, details int) {
	transaction, record := hexID(s.rng.Uint64()), hexID(s.rng.Uint64())
	p.open("", '{')
	p.time("timestamp", s.at)
	p.upper("serviceStatus", "COMPLETED")
	p.text("nodeId", s.nodeID)
	p.text("nodeTitle", s.title)
	p.text("nodeType", s.nodeType)
	if s.null {
		p.raw("match", "null")
	} else {
		p.flag("match", s.match)
	}
	s.transaction(p, transaction, record)
	switch {
	case details > 0 && s.account.spec.Mocks:
		p.raw("fullServiceDetails", "{}")
	case details > 0:
		s.details(p, details, transaction, record)
	}
	if s.watch && !s.screening.failed {
		s.summary(p)
	}
	if !s.watch && s.rng.IntN(3) == 0 {
		p.raw("secondaryMatch", "null")
	}
	p.end('}')
}

// transaction identifies the vendor's transaction. In the test half it is the
// same for everybody.
func (s service) transaction(p *jsonWriter, transaction, record string) {
	info := []string{"Example Inc.-" + s.title + "-2", s.account.uuid(0xacc), s.country, time.Unix(s.at, 485e6).UTC().Format(completedLayout),
		transaction, record, "Example-Inc.-Service-Worker-1"}
	if s.account.spec.Mocks {
		info = []string{"account-name", "account-identifier", s.country, "2022-11-22T00:00:00.000+00:00", "test_transaction_id", "test_transaction_record_id", "user-name"}
	}
	p.open("transactionInfo", '{')
	for i, name := range [...]string{"accountName", "accountIdentifier", "countryCode", "date", "transactionId", "transactionRecordId", "userName"} {
		p.text(name, info[i])
	}
	p.end('}')
}

// summary is the part of a watchlist check that is sent even without details.
func (s service) summary(p *jsonWriter) {
	p.openMap("watchlistResults")
	p.open(s.screening.source, '{')
	p.text("watchlistStatus", s.screening.state())
	p.open("watchlistHitDetails", '{')
	for i, kind := range listKinds {
		p.number(kind.number, int64(s.screening.hits[i]))
	}
	p.end('}')
	p.end('}')
	p.end('}')
}

// details is the vendor's transaction record, with the vendor's capitals.
func (s service) details(p *jsonWriter, size int, transaction, record string) {
	stop := len(p.b) + size
	at := time.Unix(s.at, 0).UTC()
	p.open("fullServiceDetails", '{')
	p.text("TransactionID", transaction)
	p.text("UploadedDt", at.Add(-2*time.Second).Format(uploadedLayout))
	p.text("CompletedDt", at.Format(completedLayout))
	p.text("CountryCode", s.country)
	p.text("ProductName", "Identity Verification")
	p.open("Record", '{')
	p.text("TransactionRecordID", record)
	p.text("RecordStatus", matchWord(s.match))
	p.open("DatasourceResults", '[')
	if s.watch {
		s.watchlist(p)
	} else {
		for n := 0; n < 1 || len(p.b) < stop; n++ {
			s.source(p, n)
		}
	}
	p.end(']')
	p.raw("Errors", "[]")
	p.open("Rule", '{')
	if s.watch {
		p.text("RuleName", "RuleScript - WatchlistRules_v1")
		p.text("Note", "Watchlist Clear on either International or Advanced Watchlist")
	} else {
		p.text("RuleName", "RuleScript - ExampleRule_v1")
		p.text("Note", "Name, address and date of birth match")
	}
	p.end('}')
	p.raw("SupplementaryRules", "[]")
	p.end('}')
	p.text("CustomerReferenceID", s.reference())
	p.raw("Errors", "[]")
	p.text("UserGUID", "100001")
	p.text("AccountIdentifier", s.account.uuid(0xacc))
	p.open("InputFields", '[')
	for _, e := range s.entered[:3] {
		p.open("", '{')
		p.text("FieldName", searched(e))
		p.text("Value", e.value)
		p.end('}')
	}
	p.end(']')
	p.end('}')
}

// reference is the account's own id of the client.
func (s service) reference() string {
	for _, e := range s.entered {
		if e.role == "external_customer_id" {
			return e.value
		}
	}
	return ""
}

// searched is the vendor's name of an answer in its records.
func searched(e entered) string {
	if e.role == "" {
		return strings.ReplaceAll(e.name, " ", "")
	}
	words := strings.Split(e.role, "_")
	for i, word := range words {
		words[i] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

func matchWord(match bool) string {
	if match {
		return "match"
	}
	return "nomatch"
}

// source writes one data source's result. Every third source reports an error, whose
// code is sometimes a string and sometimes a number.
func (s service) source(p *jsonWriter, n int) {
	p.open("", '{')
	p.text("DatasourceName", fmt.Sprintf("Citizen %d", n+1))
	p.open("DatasourceFields", '[')
	for _, e := range s.entered[:8] {
		p.open("", '{')
		p.text("FieldName", searched(e))
		p.text("Status", []string{"match", "match", "nomatch", "missing"}[s.rng.IntN(4)])
		p.end('}')
	}
	p.end(']')
	p.open("AppendedFields", '[')
	s.append(p, "AddressAssociation", `"CurrentAddress"`)
	s.append(p, "Register", `{"Entry":{"Number":12345678901234567890,"Active":true}}`)
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

// append writes an appended field whose data are JSON.
func (s service) append(p *jsonWriter, name, data string) {
	p.open("", '{')
	p.text("FieldName", name)
	p.raw("Data", data)
	p.end('}')
}

// watchlist writes the result of the watchlist's source: only its error where it
// failed, and hits only where there are some.
func (s service) watchlist(p *jsonWriter) {
	p.open("", '{')
	p.text("DatasourceName", s.screening.source)
	p.raw("DatasourceFields", "[]")
	p.open("AppendedFields", '[')
	if !s.screening.failed {
		s.screened(p)
	}
	p.end(']')
	if s.screening.failed {
		p.raw("Errors", `[{"Code":"1002","Message":"Datasource unavailable"}]`)
	} else {
		p.raw("Errors", "[]")
	}
	p.raw("FieldGroups", "[]")
	p.end('}')
}

func (s service) screened(p *jsonWriter) {
	name := s.name()
	s.append(p, "WatchlistFullName", string(appendText(nil, name)))
	s.append(p, "WatchlistState", string(appendText(nil, s.screening.state())))
	switch {
	case !s.screening.hit():
	case s.screening.older:
		s.append(p, "WatchlistData", string(appendText(nil, "Example Sanctions|https://lists.example.com/1\tExample Debarred|https://lists.example.com/2")))
	default:
		numbers, lists := "", ""
		for i, kind := range listKinds {
			numbers += fmt.Sprintf(`,"num_%s_hits":%d`, kind.prefix, s.screening.hits[i])
			lists += fmt.Sprintf(`,"%s_results":[%s]`, kind.prefix, s.hits(kind.prefix, name, s.screening.hits[i]))
		}
		s.append(p, "WatchlistData", "{"+numbers[1:]+"}")
		s.hitDetails(p, "{"+lists[1:]+"}")
	}
}

// hitDetails writes the hits, sometimes as an object and sometimes as JSON in a string.
func (s service) hitDetails(p *jsonWriter, lists string) {
	if s.rng.IntN(2) == 0 {
		lists = string(appendText(nil, lists))
	}
	s.append(p, "WatchlistHitDetails", lists)
}

// name is the name that is searched for.
func (s service) name() string {
	if strings.HasPrefix(s.entered[0].role, "company") {
		return s.entered[0].value
	}
	return s.entered[0].value + " " + s.entered[1].value
}

// hits are n hits of one kind. A hit in the news has an article, and neither a kind of
// list nor an agency.
func (s service) hits(kind, name string, n int) string {
	all := make([]string, n)
	for i := range all {
		score := []string{"1", "0.97", "0.81"}[s.rng.IntN(3)]
		subject := string(appendText(nil, name))
		if kind == "AM" {
			all[i] = fmt.Sprintf(`{"score":%s,"subjectMatched":%s,"text":%s,"URL":"https://news.example.com/%d"}`, score, subject, s.article(name), i+1)
			continue
		}
		list := map[string]string{"WL": "Sanctions", "PEP": "PEP"}[kind]
		all[i] = fmt.Sprintf(`{"score":%s,"subjectMatched":%s,"sourceListType":%q,"sourceRegion":"Global",`+
			`"sourceAgencyName":"Example Agency","URL":"https://lists.example.com/%d"}`, score, subject, list, i+1)
	}
	return strings.Join(all, ",")
}

// article is the text of a newspaper's page, of 300 bytes to 2 KB. Real ones have
// up to 8 KB.
func (s service) article(name string) string {
	sentence := `An invented article, with "quotes" and without lines, names ` + name + ` somewhere in it. `
	return string(appendText(nil, strings.TrimSpace(strings.Repeat(sentence, 4+s.rng.IntN(16)))))
}
