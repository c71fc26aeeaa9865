package trulioo_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// The files of testdata/live have the exact form of answers that the live and
// the test API gave in October 2025, with invented contents.

func liveProfile(t *testing.T, name string) *trulioo.Profile {
	t.Helper()
	return decodeProfile(t, testdata(t, "live/"+name+".json"))
}

const (
	liveFlow       = "67000000000000000000000f"
	liveAccount    = "7e000000-0000-4000-8000-000000000001"
	transactionWL  = "10000000-0000-4000-8000-000000000001"
	recordWL       = "20000000-0000-4000-8000-000000000001"
	transactionID2 = "10000000-0000-4000-8000-000000000002"
)

func instant(t *testing.T, text string) trulioo.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return trulioo.Time{Time: at.UTC()}
}

func TestLiveClear(t *testing.T) {
	t.Parallel()
	p := liveProfile(t, "watchlist-clear")
	assert.Equal(t, trulioo.StatusAccepted, p.Status)
	assert.Equal(t, trulioo.ProfileTypeNormal, p.ProfileType)
	assert.Equal(t, liveAccount, p.User)
	assert.Empty(t, p.OwnerIDs)
	assert.Empty(t, p.Files())
	require.Len(t, p.FlowData, 1)
	assert.True(t, p.FlowData[liveFlow].Completed)
	for role, want := range map[trulioo.Role]string{
		trulioo.RoleFirstName: "Ada", trulioo.RoleLastName: "Example", trulioo.RoleDateOfBirth: "1980-01-31",
		trulioo.RoleExternalCustomerID: "ref-2026-000123", trulioo.RoleAddressCountry: "US", trulioo.RoleAddress1: "100 Example Road #12",
		trulioo.RoleAddressState: "TX", trulioo.RoleSocialServiceNumber: "000000000",
		trulioo.RoleCity: "Sampletown", trulioo.RoleAddressCity: "Sampletown",
	} {
		got, ok := p.Value(role)
		assert.True(t, ok, role)
		assert.Equal(t, want, got, role)
	}
	zip, ok := p.Value(trulioo.RolePostalCode)
	assert.True(t, ok)
	assert.Len(t, zip, 5)

	services := p.Services()
	require.Len(t, services, 2)
	assert.Equal(t, trulioo.NodeTypeEIDV, services[0].NodeType, "the order of time, which is not the answer's")
	watchlist := services[1]
	assert.Equal(t, trulioo.NodeTypePersonWatchlist, watchlist.NodeType)
	assert.Equal(t, trulioo.ServiceStatusCompleted, watchlist.ServiceStatus)
	assert.Equal(t, "6700000000000000000000a2", watchlist.NodeID)
	assert.Equal(t, "Person Watchlist Screening", watchlist.NodeTitle)
	assert.Equal(t, int64(1759998724), watchlist.Timestamp.Unix())
	assert.True(t, *watchlist.Match)
	assert.Nil(t, watchlist.SecondaryMatch)
	assert.Equal(t, trulioo.TransactionInfo{
		AccountName: "Example Inc.-PWS-Person Watchlist Screening-2", AccountIdentifier: "00000000-0000-4000-8000-000000000001",
		CountryCode: "US", Date: instant(t, "2025-10-09T08:32:04.485Z"), TransactionID: transactionWL, TransactionRecordID: recordWL,
		UserName: "Example-Inc.-Service-Worker-1",
	}, watchlist.TransactionInfo)
	require.Len(t, watchlist.WatchlistResults, 1)
	summary := watchlist.WatchlistResults["Advanced Watchlist"]
	assert.Equal(t, "No Hit", summary.WatchlistStatus)
	assert.Equal(t, trulioo.WatchlistCounts{Known: true}, summary.WatchlistHitDetails)

	details, err := watchlist.Details()
	require.NoError(t, err)
	assert.True(t, details.Matched(), "of a watchlist check: on no list")
	require.Len(t, details.InputFields, 6)
	assert.Equal(t, trulioo.InputField{FieldName: "FirstName", Value: "Ada"}, details.InputFields[0])
	require.Len(t, details.Record.DatasourceResults, 1)
	appended := details.Record.DatasourceResults[0].AppendedFields
	require.Len(t, appended, 2)
	assert.Equal(t, []string{"WatchlistFullName", "Ada Example", "WatchlistState", "No Hit"},
		[]string{appended[0].FieldName, appended[0].Text(), appended[1].FieldName, appended[1].Text()})
	details.Raw, details.InputFields, details.Record.DatasourceResults = nil, nil, nil
	assert.Equal(t, &trulioo.ServiceDetails{
		TransactionID: transactionWL, UploadedDt: instant(t, "2025-10-09T08:32:02.344Z"), CompletedDt: instant(t, "2025-10-09T08:32:04.485Z"),
		CountryCode: "US", ProductName: "Identity Verification", UserGUID: "100001", AccountIdentifier: "00000000-0000-4000-8000-000000000001",
		CustomerReferenceID: "ref-2026-000123", Errors: []trulioo.ServiceError{},
		Record: trulioo.ServiceRecord{
			TransactionRecordID: recordWL, RecordStatus: trulioo.MatchStatusMatch, Errors: []trulioo.ServiceError{},
			Rule:               trulioo.ServiceRule{RuleName: "RuleScript - WatchlistRules_v1", Note: "Watchlist Clear on either International or Advanced Watchlist"},
			SupplementaryRules: []trulioo.ServiceRule{},
		},
	}, details)

	screenings := p.Screenings()
	require.Len(t, screenings, 1)
	assert.Equal(t, trulioo.ScreeningClear, screenings[0].Outcome)
	assert.Equal(t, "Ada Example", screenings[0].SearchedName)
	assert.Equal(t, []string{"Advanced Watchlist"}, screenings[0].Lists)
	assert.Equal(t, trulioo.WatchlistCounts{Known: true}, screenings[0].Announced)
	hits, err := p.WatchlistHits()
	require.NoError(t, err)
	assert.Empty(t, hits)
}

func TestLiveIdentityCheck(t *testing.T) {
	t.Parallel()
	service := liveProfile(t, "watchlist-clear").Services()[0]
	assert.Empty(t, service.WatchlistResults)
	details, err := service.Details()
	require.NoError(t, err)
	assert.Equal(t, transactionID2, details.TransactionID)
	assert.True(t, details.Matched())
	require.Len(t, details.Record.DatasourceResults, 2)
	address, citizen := details.Record.DatasourceResults[0], details.Record.DatasourceResults[1]
	assert.Equal(t, "Address Validation", address.DatasourceName)
	require.Len(t, address.AppendedFields, 8)
	assert.Equal(t, "Sampletown", address.AppendedFields[4].Text())
	assert.Equal(t, "Citizen 2", citizen.DatasourceName)
	require.Len(t, citizen.DatasourceFields, 16)
	assert.Equal(t, trulioo.DatasourceField{FieldName: "MiddleName", Status: trulioo.MatchStatusMissing}, citizen.DatasourceFields[15])
	assert.Equal(t, []string{}, citizen.FieldGroups)
	assert.Empty(t, details.DatasourceErrors())
}

func TestLivePotentialHit(t *testing.T) {
	t.Parallel()
	p := liveProfile(t, "watchlist-potential-hit")
	middle, ok := p.ValueNamed("MiddleName")
	assert.True(t, ok)
	assert.Equal(t, "Carol", middle)
	assert.False(t, *p.Services()[1].Match)
	screenings := p.Screenings()
	require.Len(t, screenings, 1)
	s := screenings[0]
	assert.Equal(t, trulioo.ScreeningPotentialHit, s.Outcome)
	assert.True(t, s.Complete)
	assert.Equal(t, trulioo.WatchlistCounts{AdverseMedia: 2, Known: true}, s.Announced)
	hits, err := p.WatchlistHits()
	require.NoError(t, err)
	require.Len(t, hits, 2)
	for i, hit := range hits {
		assert.Contains(t, hit.Text(), `with "quotes", line-less`)
		hit.Raw = nil
		assert.Equal(t, trulioo.WatchlistHit{Kind: trulioo.WatchlistKindAdverseMedia, FlowID: liveFlow, NodeID: "6700000000000000000000a2",
			Datasource: "Advanced Watchlist", Score: 1, SubjectMatched: "Bo Sample", URL: fmt.Sprintf("https://news.example/%d", i+1)}, hit)
	}
}

func TestLiveSourceFailed(t *testing.T) {
	t.Parallel()
	p := liveProfile(t, "watchlist-source-failed")
	screenings := p.Screenings()
	require.Len(t, screenings, 1)
	assert.Equal(t, trulioo.ScreeningUnknown, screenings[0].Outcome)
	assert.Contains(t, screenings[0].Why, "reports an error")
	_, err := p.WatchlistHits()
	require.ErrorIs(t, err, trulioo.ErrScreeningUnknown)
	require.NotErrorIs(t, err, trulioo.ErrNoDetails)
	details, err := screenings[0].Service.Details()
	require.NoError(t, err)
	assert.Equal(t, []trulioo.DatasourceError{{Datasource: "Advanced Watchlist", Code: "1002", Message: "Datasource unavailable"}}, details.DatasourceErrors())
}

// The test half of an account answers with one mock for everybody, and sends no
// details though they were asked for.
func TestLiveTestEnvironment(t *testing.T) {
	t.Parallel()
	p := liveProfile(t, "test-environment")
	services := p.Services()
	require.Len(t, services, 1)
	_, err := services[0].Details()
	require.ErrorIs(t, err, trulioo.ErrNoDetails)
	require.ErrorContains(t, err, "the test one, which sends none even when asked")
	assert.Equal(t, trulioo.TransactionInfo{AccountName: "account-name", AccountIdentifier: "account-identifier", CountryCode: "US",
		Date: instant(t, "2022-11-22T00:00:00Z"), TransactionID: "test_transaction_id", TransactionRecordID: "test_transaction_record_id", UserName: "user-name"},
		services[0].TransactionInfo)
	assert.Equal(t, trulioo.ScreeningClear, p.ScreeningOutcome(), "by the summary")
}
