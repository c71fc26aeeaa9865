package trulioo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/transport"
	"github.com/trulioo-go/trulioo/internal/wire"
)

// questions are asked in this order. A question that returns false ends them: the
// ones after it could not be answered.
var questions = []func(*doctor, context.Context) bool{
	(*doctor).credentials,
	(*doctor).scope,
	(*doctor).baseURLs,
	(*doctor).environments,
	(*doctor).versions,
	(*doctor).workflowsPath,
	(*doctor).limits,
	(*doctor).firstPage,
	(*doctor).ends,
	(*doctor).timeUnit,
	(*doctor).boundDates,
	(*doctor).statuses,
	(*doctor).flows,
	(*doctor).readProfiles,
	(*doctor).files,
	(*doctor).members,
	(*doctor).values,
	(*doctor).notFound,
	(*doctor).clock,
}

const profilesAsked = 5

// credentials asks for the first page, on which the other questions stand.
func (d *doctor) credentials(ctx context.Context) bool {
	const topic, guess = "credentials", "the credentials are accepted and may list clients"
	page, err := d.list(ctx, url.Values{"limit": {"50"}})
	if err != nil {
		verdict := VerdictUnknown
		if errors.Is(err, ErrUnauthorized) || errors.Is(err, ErrForbidden) {
			verdict = VerdictDiffers
		}
		d.find(topic, guess, verdict, strings.TrimPrefix(err.Error(), "trulioo: "))
		return false
	}
	d.keep(page)
	d.total = page.TotalElements
	d.tell(topic, guess, true, "")
	return true
}

func (d *doctor) keep(page *Page[EndClient]) {
	d.rows = append(d.rows, page.Data...)
	d.raw = append(d.raw, page.Raw)
}

func (d *doctor) scope(ctx context.Context) bool {
	const topic, guess = "scope", "a token is given with the scope and without one"
	c := d.client.config
	if c.tokenSource != nil || c.version == V1 {
		d.unknown(topic, guess, "only version 2 with credentials has a scope")
		return true
	}
	other := ""
	if c.scope == "" {
		other = defaultScope
	}
	err := d.answers(ctx, WithScope(other))
	if err != nil && !errors.Is(err, ErrUnauthorized) {
		d.unknown(topic, guess, err)
		return true
	}
	d.tell(topic, guess, err == nil, "")
	return true
}

// answers asks a client that differs in the options for one row.
func (d *doctor) answers(ctx context.Context, opts ...Option) error {
	sibling, err := d.client.With(opts...)
	if err != nil {
		return err
	}
	_, err = sibling.Clients.List(ctx, &ClientListOptions{Limit: 1})
	return err
}

// baseURLs asks the vendor's other address only where this client's token is
// the vendor's own.
func (d *doctor) baseURLs(ctx context.Context) bool {
	const topic, guess = "base URL", "both of the vendor's base URLs answer"
	base, other := strings.TrimRight(d.client.config.baseURL, "/"), ""
	switch base {
	case DefaultBaseURL:
		other = AlternativeBaseURL
	case AlternativeBaseURL:
		other = DefaultBaseURL
	default:
		d.unknown(topic, guess, "the base URL is not one of the vendor's, which must not get this client's token")
		return true
	}
	opts := []Option{WithBaseURL(other)}
	if d.client.config.tokenURL != "" {
		opts = append(opts, WithTokenURL(d.client.config.tokenURL))
	}
	d.asked(topic, guess, d.answers(ctx, opts...))
	return true
}

// asked adds a finding whether something answers. An outage shows neither.
func (d *doctor) asked(topic, guess string, err error) {
	var api *APIError
	var auth *AuthError
	detail := ""
	if err != nil {
		detail = strings.TrimPrefix(err.Error(), "trulioo: ")
	}
	switch {
	case err == nil, errors.As(err, &api) && !errors.Is(err, ErrServer) && !errors.Is(err, ErrRateLimited), errors.As(err, &auth) && errors.Is(err, ErrUnauthorized):
		d.tell(topic, guess, err == nil, detail)
	default:
		d.unknown(topic, guess, detail)
	}
}

func (d *doctor) environments(ctx context.Context) bool {
	other := Test
	if d.client.config.environment == Test {
		other = Live
	}
	d.asked("environments", "the "+string(other)+" half of the account answers too", d.answers(ctx, WithEnvironment(other)))
	return true
}

// versions asks the other version with the same credentials. Its token endpoint
// is known for the vendor's own addresses and, for version 1, below any base URL.
func (d *doctor) versions(ctx context.Context) bool {
	other := V1
	if d.client.config.version == V1 {
		other = V2
	}
	topic, guess := "versions", "version "+string(other)+" takes the same credentials"
	c := d.client.config
	vendor := strings.HasPrefix(c.baseURL, DefaultBaseURL) || strings.HasPrefix(c.baseURL, AlternativeBaseURL)
	if other == V2 && !vendor && c.tokenSource == nil {
		d.unknown(topic, guess, "the token endpoint of version 2 is not known for this base URL")
		return true
	}
	d.asked(topic, guess, d.answers(ctx, WithAPIVersion(other)))
	return true
}

// workflowsPath tries the names that the list of workflows may have.
func (d *doctor) workflowsPath(ctx context.Context) bool {
	own := d.report.Dialect.workflows().path
	const topic = "workflows path"
	guess := "the list of workflows is at " + own
	_, err := listPage(ctx, d.client, route{routes.workflows.operation, own}, pagingQuery(1, 0), workflowOf)
	if err == nil {
		d.tell(topic, guess, true, "")
		return true
	}
	var api *APIError
	if !errors.As(err, &api) || api.StatusCode != http.StatusNotFound {
		d.unknown(topic, guess, err)
		return true
	}
	for _, path := range []string{"query/workflows", "query/flows", "query/workflow", "query/flow"} {
		if path == own {
			continue
		}
		if _, err := listPage(ctx, d.client, route{routes.workflows.operation, path}, pagingQuery(1, 0), workflowOf); err == nil {
			d.report.Dialect.WorkflowsPath = path
			f := d.tell(topic, guess, false, "it is at "+path)
			f.Setting = `trulioo.WithDialect(trulioo.Dialect{WorkflowsPath: "` + path + `"})`
			f.Env = "TRULIOO_WORKFLOWS_PATH=" + path
			return true
		}
	}
	d.unknown(topic, guess, "none of the known names answers")
	return true
}

func (d *doctor) limits(ctx context.Context) bool {
	for _, asked := range []struct {
		guess string
		limit string
		want  int
	}{
		{"a page has 20 rows where no limit is asked for", "", 20},
		{"a page has up to 50 rows where 50 are asked for", "50", 50},
		{"a limit over 50 silently falls back to 20", "51", 20},
	} {
		const topic = "page limit"
		query := url.Values{}
		if asked.limit != "" {
			query.Set("limit", asked.limit)
		}
		page, err := d.list(ctx, query)
		switch {
		case err != nil:
			d.asked(topic, asked.guess, err)
		case page.TotalElements <= asked.want:
			d.unknown(topic, asked.guess, "the account has too few clients")
		default:
			d.tell(topic, asked.guess, len(page.Data) == asked.want, fmt.Sprintf("%d rows", len(page.Data)))
		}
	}
	return true
}

func (d *doctor) firstPage(ctx context.Context) bool {
	const topic, guess = "first page", "the first page is page 0"
	var ids []string
	for _, page := range []string{"", "0", "1"} {
		query := url.Values{"limit": {"1"}}
		if page != "" {
			query.Set("page", page)
		}
		answer, err := d.list(ctx, query)
		switch {
		case err != nil:
			d.unknown(topic, guess, err)
			return true
		case len(answer.Data) == 0:
			d.unknown(topic, guess, "the account has too few clients")
			return true
		}
		ids = append(ids, answer.Data[0].ID)
	}
	switch {
	case ids[0] == ids[1] && ids[1] != ids[2]:
		d.tell(topic, guess, true, "")
	case ids[0] == ids[2] && d.total > 1:
		d.tell(topic, guess, false, "page 1 is the first")
	default:
		d.unknown(topic, guess, "the list moved, or has one client")
	}
	return true
}

// ends asks for the first and the last page, and compares what the two say with
// where they stand.
func (d *doctor) ends(ctx context.Context) bool {
	const topic = "end of list"
	const last, pages = "last is true on the last page only", "totalPages is the number of pages"
	limit := maxLimit
	if d.total <= maxLimit {
		limit = max(d.total/2, 1)
	}
	first, err := d.list(ctx, pagingQuery(limit, 0))
	if err != nil || len(first.Data) == 0 || first.TotalElements <= len(first.Data) {
		why := any("the account has too few clients")
		if err != nil {
			why = err
		}
		d.unknown(topic, last, why)
		d.unknown(topic, pages, why)
		return true
	}
	n := (first.TotalElements + len(first.Data) - 1) / len(first.Data)
	d.tell(topic, pages, first.TotalPages == n, "")
	end, err := d.list(ctx, pagingQuery(limit, n-1))
	if err != nil {
		d.unknown(topic, last, err)
		return true
	}
	d.keep(end)
	d.tell(topic, last, !first.Last && end.Last, fmt.Sprintf("the first page says %t, the last one %t", first.Last, end.Last))
	return true
}

// timeUnit counts the clients after and before tomorrow, in seconds. A server that
// reads seconds has none and all, one that reads milliseconds all and none. A time of
// 2001 in milliseconds is the year 33000 in seconds, and shows the same the other
// way round.
func (d *doctor) timeUnit(ctx context.Context) bool {
	const topic, filters = "time unit", "before and after filter the list"
	guess := "before and after are UNIX " + string(cmp.Or(d.report.Dialect.TimeUnit, TimeUnitSeconds))
	tomorrow := strconv.FormatInt(time.Now().Add(d.skew()+24*time.Hour).Unix(), 10)
	var counts [4]int
	for i, query := range []url.Values{{}, {"after": {tomorrow}}, {"before": {tomorrow}}, {"before": {"978307200000"}}} {
		n, err := d.count(ctx, query)
		if err != nil {
			d.unknown(topic, guess, err)
			return true
		}
		counts[i] = n
	}
	all, after, before, year2001 := counts[0], counts[1], counts[2], counts[3]
	most := func(n int) bool { return n > all/2 }
	found := TimeUnit("")
	switch {
	case all == 0:
		d.unknown(topic, guess, "the account has no clients")
		return true
	case most(after) && most(before) && most(year2001):
		d.tell("filters", filters, false, "the same clients come with bounds and without")
		d.unknown(topic, guess, "the bounds are ignored")
		return true
	case !most(after) && most(before) && most(year2001):
		found = TimeUnitSeconds
	case most(after) && !most(before) && !most(year2001):
		found = TimeUnitMilliseconds
	default:
		d.unknown(topic, guess, "neither unit explains the counts")
		return true
	}
	d.bounded = true
	d.tell("filters", filters, true, "")
	holds := found == cmp.Or(d.report.Dialect.TimeUnit, TimeUnitSeconds)
	f := d.tell(topic, guess, holds, "")
	if holds {
		return true
	}
	f.Detail = "they are " + string(found)
	f.Setting = "trulioo.WithDialect(trulioo.Dialect{TimeUnit: trulioo.TimeUnitMilliseconds})"
	if found == TimeUnitSeconds {
		f.Setting = "trulioo.WithDialect(trulioo.Dialect{TimeUnit: trulioo.TimeUnitSeconds})"
	}
	f.Env = "TRULIOO_TIME_UNIT=" + string(found)
	d.report.Dialect.TimeUnit = found
	return true
}

// boundDates finds a client that was changed after its creation, and asks at which
// of its two times the server has it.
func (d *doctor) boundDates(ctx context.Context) bool {
	const topic, created = "bounds", "before and after look at the time of creation"
	const after, before = "after leaves out its own second", "before leaves out its own second"
	give := func(why any) bool {
		for _, guess := range []string{created, after, before} {
			d.unknown(topic, guess, why)
		}
		return true
	}
	if !d.bounded {
		return give("the unit of the bounds is not known, or they are ignored")
	}
	row := d.changedLater()
	if row == nil {
		return give("no client on the pages seen was changed after its creation")
	}
	byCreated, err := d.within(ctx, row.ID, row.Created.Add(-time.Second), row.Created.Add(time.Second))
	if err != nil {
		return give(err)
	}
	byModified, err := d.within(ctx, row.ID, row.LastModified.Add(-time.Second), row.LastModified.Add(time.Second))
	if err != nil {
		return give(err)
	}
	at := row.Created.Time
	switch {
	case byCreated && byModified:
		return give("the client is found at both of its times")
	case byCreated:
		d.tell(topic, created, true, "")
	case byModified:
		d.tell(topic, created, false, "they look at lastModified")
		at = row.LastModified.Time
	default:
		d.tell(topic, created, false, "they look at neither created nor lastModified")
		d.unknown(topic, after, "the time that is compared is not known")
		d.unknown(topic, before, "the time that is compared is not known")
		return true
	}
	d.edge(ctx, topic, after, row.ID, at, at.Add(2*time.Second))
	d.edge(ctx, topic, before, row.ID, at.Add(-2*time.Second), at)
	return true
}

// changedLater picks a client by which the two dates can be told apart.
func (d *doctor) changedLater() *EndClient {
	for _, row := range d.rows {
		if !row.Created.IsZero() && row.LastModified.Sub(row.Created.Time) > 5*time.Second {
			return row
		}
	}
	return nil
}

// errCrowded means that a client cannot be looked for among so many.
var errCrowded = errors.New("too many clients share the second")

// within reports whether the server has a client between two seconds.
func (d *doctor) within(ctx context.Context, id string, after, before time.Time) (bool, error) {
	query := pagingQuery(maxLimit, 0)
	d.report.Dialect.setTime(query, "after", after)
	d.report.Dialect.setTime(query, "before", before)
	page, err := d.list(ctx, query)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(page.Data, func(row *EndClient) bool { return row.ID == id }) {
		return true, nil
	}
	if page.TotalElements > len(page.Data) {
		return false, errCrowded
	}
	return false, nil
}

// edge tells whether a bound leaves out its own second: the client is at one of the two.
func (d *doctor) edge(ctx context.Context, topic, guess, id string, after, before time.Time) {
	in, err := d.within(ctx, id, after, before)
	if err != nil {
		d.unknown(topic, guess, err)
		return
	}
	d.tell(topic, guess, !in, "")
}

// statuses asks for two statuses alone and for both in each form. Only the
// right form gives the sum.
func (d *doctor) statuses(ctx context.Context) bool {
	const topic, filters = "statuses", "statuses filters the list"
	own := cmp.Or(d.report.Dialect.Statuses, StatusesComma)
	guess := map[StatusesForm]string{
		StatusesComma: "several statuses are separated by commas", StatusesRepeated: "several statuses are repeated parameters",
	}[own]
	pair := d.twoStatuses()
	if pair == nil {
		d.unknown("filters", filters, "the clients on the pages seen have one status")
		d.unknown(topic, guess, "the clients on the pages seen have one status")
		return true
	}
	var counts [5]int // all, the one, the other, by comma, repeated
	comma, repeated := url.Values{}, url.Values{}
	Dialect{}.setStatuses(comma, pair)
	Dialect{Statuses: StatusesRepeated}.setStatuses(repeated, pair)
	for i, query := range []url.Values{{}, {"statuses": {string(pair[0])}}, {"statuses": {string(pair[1])}}, comma, repeated} {
		n, err := d.count(ctx, query)
		if err != nil {
			d.unknown("filters", filters, err)
			d.unknown(topic, guess, err)
			return true
		}
		counts[i] = n
	}
	if counts[1] == counts[0] && counts[2] == counts[0] {
		d.tell("filters", filters, false, "the same clients come with a status and without")
		d.unknown(topic, guess, "statuses are ignored")
		return true
	}
	d.tell("filters", filters, true, "")
	sum := counts[1] + counts[2]
	fits := map[StatusesForm]bool{StatusesComma: counts[3] == sum, StatusesRepeated: counts[4] == sum}
	other := map[StatusesForm]StatusesForm{StatusesComma: StatusesRepeated, StatusesRepeated: StatusesComma}[own]
	switch {
	case fits[own]:
		d.tell(topic, guess, true, "")
	case fits[other]:
		f := d.tell(topic, guess, false, "they are "+map[StatusesForm]string{StatusesComma: "separated by commas", StatusesRepeated: "repeated parameters"}[other])
		f.Setting = "trulioo.WithDialect(trulioo.Dialect{Statuses: trulioo.Statuses" + map[StatusesForm]string{StatusesComma: "Comma", StatusesRepeated: "Repeated"}[other] + "})"
		f.Env = "TRULIOO_STATUSES=" + string(other)
		d.report.Dialect.Statuses = other
	default:
		d.unknown(topic, guess, "neither form gives as many clients as the two statuses have alone")
	}
	return true
}

// twoStatuses picks two known statuses that clients have: a status of the
// vendor's own could hold a comma.
func (d *doctor) twoStatuses() []Status {
	var pair []Status
	for _, row := range d.rows {
		if statuses.Known(row.Status) && !slices.Contains(pair, row.Status) {
			if pair = append(pair, row.Status); len(pair) == 2 {
				return pair
			}
		}
	}
	return nil
}

// nobody is an id that no client and no flow has.
var nobody = strings.Repeat("0", 24)

func (d *doctor) flows(ctx context.Context) bool {
	const topic, guess = "filters", "flowId filters the list"
	n, err := d.count(ctx, url.Values{"flowId": {nobody}})
	switch {
	case err != nil:
		d.unknown(topic, guess, err)
	case d.total == 0:
		d.unknown(topic, guess, "the account has no clients")
	default:
		d.tell(topic, guess, n == 0, "")
	}
	return true
}

// readProfiles gets a few profiles for the questions that follow.
func (d *doctor) readProfiles(ctx context.Context) bool {
	for _, row := range d.rows[:min(len(d.rows), profilesAsked)] {
		profile, err := d.client.Clients.Get(ctx, row.ID, &GetOptions{FullServiceDetails: true})
		if err == nil {
			d.profiles = append(d.profiles, profile)
		}
	}
	return true
}

// files asks for the first byte of a file, twice.
func (d *doctor) files(ctx context.Context) bool {
	const topic = "files"
	const direct, ranges, tags = "files come from the API's own host", "a part of a file can be asked for", "files have a strong ETag"
	give := func(why any) bool {
		for _, guess := range []string{direct, ranges, tags} {
			d.unknown(topic, guess, why)
		}
		return true
	}
	key := ""
	for _, profile := range d.profiles {
		if refs := profile.Files(); len(refs) > 0 {
			key = refs[0].Key
			break
		}
	}
	if key == "" {
		return give("no profile that was read has a file")
	}
	before := len(d.seen.since(0))
	resp, err := d.client.Files.open(ctx, key, http.Header{"Range": {"bytes=0-0"}})
	if err != nil {
		return give(err)
	}
	_ = resp.Body.Close()
	hosts := d.seen.since(before)
	d.tell(topic, direct, !slices.ContainsFunc(hosts, func(a answered) bool { return a.host != hosts[0].host }), "")
	d.tell(topic, ranges, resp.StatusCode == http.StatusPartialContent, "status "+strconv.Itoa(resp.StatusCode))
	tag := resp.Header.Get("ETag")
	detail := map[bool]string{true: "they have none", false: "it is weak"}[tag == ""]
	strong := strings.HasPrefix(tag, `"`)
	if strong {
		detail = ""
	}
	d.tell(topic, tags, strong, detail)
	return true
}

// members names the members of answers that the models do not have.
func (d *doctor) members(context.Context) bool {
	const topic, guess = "members", "the models know every member of the answers"
	unknown := map[string]bool{}
	for _, raw := range d.raw {
		var page struct{ Data []any }
		if wire.Unmarshal(raw, &page) == nil {
			for _, row := range page.Data {
				unknownMembers(row, reflect.TypeFor[EndClient](), "client", unknown)
			}
		}
	}
	for _, profile := range d.profiles {
		var document any
		if wire.Unmarshal(profile.Raw, &document) == nil {
			unknownMembers(document, reflect.TypeFor[Profile](), "profile", unknown)
		}
	}
	d.named(topic, guess, unknown)
	return true
}

// named tells that a set of names is empty, or lists them.
func (d *doctor) named(topic, guess string, names map[string]bool) {
	if len(d.rows)+len(d.profiles) == 0 {
		d.unknown(topic, guess, "the account has no clients")
		return
	}
	d.tell(topic, guess, len(names) == 0, strings.Join(slices.Sorted(maps.Keys(names)), ", "))
}

// A name that is longer or holds anything else may be a person's.
var harmless = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]{0,39}$`)

// unknownMembers collects the names of members that a type has no field for,
// below a path of the type's own names. The keys of maps are ids and left out.
func unknownMembers(value any, t reflect.Type, path string, found map[string]bool) {
	if t == reflect.TypeFor[json.RawMessage]() {
		if !strings.HasSuffix(path, ".fullServiceDetails") {
			return
		}
		t = reflect.TypeFor[ServiceDetails]()
	}
	switch t.Kind() {
	case reflect.Pointer:
		unknownMembers(value, t.Elem(), path, found)
	case reflect.Slice:
		list, _ := value.([]any)
		for _, element := range list {
			unknownMembers(element, t.Elem(), path+"[]", found)
		}
	case reflect.Map:
		object, _ := value.(map[string]any)
		for _, element := range object {
			unknownMembers(element, t.Elem(), path+".*", found)
		}
	case reflect.Struct:
		object, _ := value.(map[string]any)
		if t == reflect.TypeFor[Time]() {
			return
		}
		for name, member := range object {
			if field, ok := fieldOf(t, name); ok {
				unknownMembers(member, field, path+"."+name, found)
			} else if harmless.MatchString(name) {
				found[path+"."+name] = true
			} else {
				found[path+".(a name that is not shown)"] = true
			}
		}
	default:
	}
}

// fieldOf is the type of the field that a member is decoded into.
func fieldOf(t reflect.Type, name string) (reflect.Type, bool) {
	for field := range t.Fields() {
		if tag, _, _ := strings.Cut(field.Tag.Get("json"), ","); tag != "-" && strings.EqualFold(tag, name) {
			return field.Type, true
		}
	}
	return nil, false
}

// values names the words of open sets that have no constant.
func (d *doctor) values(context.Context) bool {
	unknown := map[string]bool{}
	note := func(kind, value string, known bool) {
		if value != "" && !known {
			if !harmless.MatchString(value) {
				value = "(a word that is not shown)"
			}
			unknown[kind+" "+value] = true
		}
	}
	for _, row := range d.rows {
		note("status", string(row.Status), statuses.Known(row.Status))
		note("profileType", string(row.ProfileType), profileTypes.Known(row.ProfileType))
	}
	for _, profile := range d.profiles {
		note("status", string(profile.Status), statuses.Known(profile.Status))
		for _, flow := range profile.FlowData {
			for _, field := range flow.FieldData {
				note("role", string(field.Role), roles.Known(field.Role))
			}
			for _, service := range flow.ServiceData {
				note("nodeType", string(service.NodeType), nodeTypes.Known(service.NodeType))
				note("serviceStatus", string(service.ServiceStatus), serviceStatuses.Known(service.ServiceStatus))
			}
		}
	}
	d.named("values", "every status, role and node type has a constant", unknown)
	return true
}

func (d *doctor) notFound(ctx context.Context) bool {
	const topic, guess = "not found", "a client that does not exist is a 404 with the vendor's code"
	_, err := d.client.Clients.Get(ctx, nobody, nil)
	var api *APIError
	switch {
	case err == nil:
		d.tell(topic, guess, false, "a profile came")
	case !errors.As(err, &api):
		d.unknown(topic, guess, err)
	default:
		form := "JSON without a code"
		switch {
		case number(api.Code):
			form = "code " + api.Code
		case strings.HasPrefix(strings.TrimSpace(string(api.Body())), "<"):
			form = "an HTML page"
		case len(api.Body()) == 0:
			form = "no body"
		}
		d.tell(topic, guess, api.StatusCode == http.StatusNotFound && number(api.Code), fmt.Sprintf("status %d, %s", api.StatusCode, form))
	}
	return true
}

// skew is the server's clock less ours, the median of the API's answers.
func (d *doctor) skew() time.Duration {
	origin, _ := url.Parse(d.client.config.baseURL) // validated
	var skews []time.Duration
	for _, a := range d.seen.since(0) {
		if a.dated && transport.SameOrigin(origin, &url.URL{Scheme: origin.Scheme, Host: a.host}) {
			skews = append(skews, a.skew)
		}
	}
	if len(skews) == 0 {
		return 0
	}
	slices.Sort(skews)
	return skews[len(skews)/2]
}

func (d *doctor) clock(context.Context) bool {
	const topic, guess = "clock", "the server's clock and ours agree to 5 seconds"
	origin, _ := url.Parse(d.client.config.baseURL) // validated
	if !slices.ContainsFunc(d.seen.since(0), func(a answered) bool { return a.dated && a.host == origin.Host }) {
		d.unknown(topic, guess, "no answer had a Date")
		return true
	}
	skew := d.skew().Seconds()
	detail := ""
	if seconds := math.Round(skew); seconds > 0 {
		detail = fmt.Sprintf("the server is %.0f s ahead", seconds)
	} else if seconds < 0 {
		detail = fmt.Sprintf("the server is %.0f s behind", -seconds)
	}
	d.tell(topic, guess, math.Abs(skew) <= 5, detail)
	return true
}
