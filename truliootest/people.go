package truliootest

import (
	"fmt"
	"strings"
)

// entered is one answer of a form.
type entered struct{ role, name, value string }

var (
	firstNames = []string{"Aisha", "Björn", "Chloé", "Dmitri", "Elena", "Femi", "Grace", "Hiroshi", "Inés", "José", "Keiko", "Liam", "Mária", "Noor", "O'Neil", "Wei"}
	lastNames  = []string{"Almeida", "Brown", "Chen", "Dubois", "Eriksson", "Fernández", "Garcia", "Haddad", "Ivanova", "Jones", "Kowalski", "Łukasik", "Müller", "Nakamura", "Okafor", "Smith-Jones"}
	places     = []struct{ country, city, postalCode string }{
		{"CA", "Vancouver", "V6B 1A1"},
		{"GB", "London", "SW1A 1AA"},
		{"US", "Springfield", "62704"},
		{"DE", "Köln", "50667"},
		{"FR", "Orléans", "45000"},
		{"JP", "Osaka", "530-0001"},
	}
	companyWords = []string{"Northwind", "Blue Harbour", "Acme", "Rainier", "Æther", "Quill & Co"}
	companyForms = []string{"Ltd", "GmbH", "Inc.", "SARL"}
)

// answers are what client i entered in its n-th workflow. In the second one a
// quarter of all spell the name in another way.
func (a *Account) answers(i, n int) []entered {
	if a.business(i) {
		return a.companyAnswers(i, n)
	}
	rng := newRand(a.hash(i, 15), 0)
	first, last, place := choose(rng, firstNames), choose(rng, lastNames), choose(rng, places)
	if n > 0 && rng.IntN(4) == 0 {
		last += "a"
	}
	born := fmt.Sprintf("%04d-%02d-%02d", 1940+rng.IntN(65), 1+rng.IntN(12), 1+rng.IntN(28))
	return []entered{
		{"first_name", "First name", first},
		{"last_name", "Last name", last},
		{"full_name", "Full name", first + " " + last},
		{"dob", "Date of birth", born},
		{"address_country", "Country", place.country},
		{"address_1", "Address", fmt.Sprintf("%d Example Street", 1+rng.IntN(200))},
		{"city", "City", place.city},
		{"postal_code", "Postal code", place.postalCode},
		{"email", "Email", fmt.Sprintf("person%d@example.com", i)},
		{"phone", "Phone", fmt.Sprintf("+1 555 01%02d", rng.IntN(100))},
		{"national_id_nr", "National id", fmt.Sprintf("000-%02d-%04d", rng.IntN(100), rng.IntN(10000))},
		{"external_customer_id", "Customer number", fmt.Sprintf("C-%06d", i)},
	}
}

func (a *Account) companyAnswers(i, n int) []entered {
	rng := newRand(a.hash(i, 15), 0)
	place := choose(rng, places)
	name := choose(rng, companyWords) + " " + choose(rng, companyForms)
	if n > 0 && rng.IntN(4) == 0 {
		name = strings.ToUpper(name)
	}
	street := fmt.Sprintf("%d Example Road", 1+rng.IntN(200))
	return []entered{
		{"company_name", "Company name", name},
		{"company_nr", "Company number", fmt.Sprintf("%08d", rng.IntN(1e8))},
		{"company_email", "Company email", fmt.Sprintf("company%d@example.com", i)},
		{"company_vat", "VAT number", fmt.Sprintf("%s%09d", place.country, rng.IntN(1e9))},
		{"company_country_incorporation", "Country of incorporation", place.country},
		{"company_state", "State", ""},
		{"company_city", "City", place.city},
		{"company_zip", "Postal code", place.postalCode},
		{"company_address_full", "Address", street + ", " + place.postalCode + " " + place.city},
		{"external_customer_id", "Customer number", fmt.Sprintf("B-%06d", i)},
	}
}
