"""What columns are called in several languages, and what each name means for a mapping.

Data only. Names are compared in lower case without diacritics and marks: "Tel.-Nr." is "telnr".
"""

from __future__ import annotations

from clients.identifiers.cleaning import words

ROW_ID = "row_id"
FLAG = "flag"
INDICATORS = "indicators"
NOTE = "note"

_NAMES: dict[str, str] = {
    ROW_ID: (
        "id rowid recordid recid customerid customerno customernumber clientid clientno cif kundennummer "
        "kundennr kdnr idclient numclient idcliente numcliente codicecliente klantnummer idklienta nrklienta "
        "kundenr kundnummer uid uuid"
    ),
    "given_name": (
        "givenname given firstname first forename forenames fname vorname rufname prenom prenoms nombre "
        "nombres nome voornaam voornamen imie prenume fornavn fornamn etunimi ad jmeno keresztnev"
    ),
    "family_name": (
        "familyname family lastname last surname sname lname nachname familienname nom nomdefamille apellido "
        "apellidos cognome achternaam sobrenome apelido nazwisko nume efternavn efternamn sukunimi soyad "
        "prijmeni vezeteknev"
    ),
    "full_name": (
        "fullname name customername clientname holdername vollername nomcomplet nomprenom nombrecompleto "
        "nomecompleto nominativo naam volledigenaam navn namn nimi adsoyad"
    ),
    "date_of_birth": (
        "dateofbirth dob birthdate birthday borndate birth geburtsdatum gebdatum geb geburtstag datenaissance "
        "datedenaissance fechanacimiento fechadenacimiento datanascita datadinascita geboortedatum "
        "datanascimento datadenascimento dataurodzenia datanasterii fodselsdato fodelsedatum syntymaaika "
        "dogumtarihi datumnarozeni"
    ),
    "phone": (
        "phone phoneno phonenumber telephone telephoneno tel telno mobile mobileno mobilephone mobilenumber "
        "cell cellphone homephone workphone contactnumber telefon telefonnummer telnr telefonnr handy handynr "
        "mobil mobilnummer telephonemobile portable gsm telefono movil celular cellulare telefoon "
        "telefoonnummer mobiel telefone telemovel telefonkomorkowy nrtelefonu komorka puhelin telefonszam "
        "msisdn whatsapp"
    ),
    "email": (
        "email emailaddress mail mailaddress emailadresse courriel correo correoelectronico postaelettronica "
        "epost adresemail adresaemail sahkoposti eposta"
    ),
    "iban": "iban ibannumber accountiban bankaccountiban",
    "sort_code": "sortcode sort bankleitzahluk",
    "account_number": "accountnumber accountno account acctno bankaccountnumber",
    "national_id": (
        "nationalid nationalidnumber nationalidentitynumber idnumber idno identitynumber personalid "
        "personalcode ssn socsecid socialsecuritynumber nino nationalinsurancenumber nin ausweisnummer "
        "personalausweis steuerid cni dni nie nif curp cpf codicefiscale bsn burgerservicenummer pesel cnp "
        "personnummer fodselsnummer cpr henkilotunnus tckimlik rodnecislo egn oib aadhaar"
    ),
    "passport": (
        "passport passportno passportnumber reisepass reisepassnummer passnummer passeport numeropasseport "
        "pasaporte numeropasaporte passaporto paspoort paspoortnummer passaporte paszport pas pass pasnummer"
    ),
    "document_country": (
        "nationality passportcountry issuingcountry countryofissue documentcountry staatsangehorigkeit "
        "nationalitat nationalite nacionalidad nazionalita nationaliteit nacionalidade obywatelstwo"
    ),
    "plate": (
        "plate plateno platenumber numberplate licenseplate licenceplate registration vehicleregistration reg "
        "vrm carregistration vehicleplate kennzeichen kfzkennzeichen immatriculation plaque matricula targa "
        "kenteken placa nrrejestracyjny rejestracja rendszam"
    ),
    "wallet": (
        "wallet walletaddress cryptowallet cryptoaddress cryptoassetaddress bitcoinaddress btcaddress "
        "ethaddress btc eth blockchainaddress"
    ),
    "handle": (
        "handle webhandle socialhandle socialmedia username screenname profile profileurl profil instagram "
        "facebook twitter tiktok telegram snapchat benutzername"
    ),
    "platform": "platform socialplatform network plattform",
    "street": (
        "street streetaddress address address1 addressline1 addressline addr strasse strassehausnummer "
        "anschrift adresse rue calle direccion domicilio via indirizzo straat adres rua morada endereco ulica "
        "adresa gatuadress"
    ),
    "house_number": "housenumber houseno streetnumber hausnummer hausnr hnr numero huisnummer nrdomu husnummer",
    "postcode": (
        "postcode postalcode zip zipcode plz postleitzahl codepostal cp codigopostal cap codicepostale "
        "codpostal kodpocztowy postnummer postinumero psc"
    ),
    "city": (
        "city town suburb place ort stadt wohnort ville ciudad localidad citta comune stad plaats woonplaats "
        "cidade localidade miasto miejscowosc oras by"
    ),
    "country": "country countrycode land pays pais paese nazione kraj tara maa ulke zeme",
    NOTE: ("note notes remark remarks comment comments bemerkung notiz remarque observaciones nota opmerking uwagi"),
    FLAG: (
        "flag flagged redflag suspicious suspicion alert sar str reportable verdacht verdachtig auffallig "
        "signale sospechoso sospetto verdacht podejrzany"
    ),
    INDICATORS: "indicators indicator redflags flags typology typologies codes indikatoren merkmale indicateurs",
}

_PREFIXES = frozenset(
    [
        *("customer", "client", "cust", "person", "primary", "main", "home", "work", "private", "contact", "kunde"),
        *("kunden", "cliente", "klant", "klient", "account", "holder", "suspect", "subject", "victim"),
    ]
)
_MEANINGS = {name: meaning for meaning, names in _NAMES.items() for name in names.split()}
_PLATFORMS = ("instagram", "facebook", "twitter", "tiktok", "telegram", "snapchat")


def meaning_of(column: str) -> str | None:
    """What a column's name says that it holds; None where it says nothing known.

    A number after the name (phone2) and a table's name before it (customer_phone) are passed over.
    """
    found = words(column)
    while found and found[-1].isdigit():
        found.pop()
    joined = "".join(found).rstrip("0123456789")
    if joined in _MEANINGS:
        return _MEANINGS[joined]
    for start in range(1, len(found)):
        rest = "".join(found[start:])
        if len(rest) > 2 and rest in _MEANINGS and found[0] in _PREFIXES:
            return _MEANINGS[rest]
    return None


def platform_named_by(column: str) -> str | None:
    """The platform whose handles a column holds by its name; None where it names none."""
    return next((platform for platform in _PLATFORMS if platform in words(column)), None)
