"""What the pages about somebody's own data say, by language; every language says all of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape as escaped
from types import MappingProxyType
from typing import Final

_EN: Final = {
    "title": "Your data and your choices",
    "intro": "This page belongs to {email} at {shop}. It works without a password: whoever has the link from your mail "
    "can open it.",
    "saved": "Saved. It holds from now on.",
    "asked_email": "We have sent a mail to the new address. Once you follow the link in it, we use it.",
    "asked_export": "We are putting your data together. In a few minutes a mail brings you the link.",
    "asked_erasure": "We have sent you a mail. Follow the link in it, and we forget you.",
    "wrong": "This could not be saved. Please look at: {field}.",
    "choices": "What we may do",
    "save_choices": "Save my choices",
    "wording": "What exactly do I agree to?",
    "restricted": "At the moment nothing of your data is used. We only keep it.",
    "details": "What we call you",
    "first_name": "First name",
    "language": "Language",
    "time_zone": "Time zone",
    "unchanged": "As it is",
    "save_details": "Save",
    "email": "New e-mail address",
    "email_intro": "We write to {email}. Another address counts once you have confirmed it there.",
    "save_email": "Send me the confirmation",
    "held": "What we hold about you",
    "held_nothing": "Nothing but what you see on this page.",
    "download_intro": "You can have a copy of all of it. The link comes by mail, and is good for one download.",
    "download": "Send me a copy",
    "wishes": "What you have asked for",
    "wish": "{right}, on {day}: {state}",
    "stop": "Stop or forget",
    "restrict_intro": "You can have us keep everything and use nothing of it, for as long as you like.",
    "restrict": "Use nothing of my data",
    "unrestrict": "Use my data again",
    "erase_intro": "You can have us forget you. Invoices stay for as long as the law wants them. Nobody can undo it, "
    "so we ask you once more by mail.",
    "erase": "Forget me",
    "unknown_title": "This link is no longer good",
    "unknown": "It may be old, or have gone to an earlier address of yours. Take the link from the newest mail, or "
    "write to the shop.",
    "right_access": "a copy of your data",
    "right_portability": "a copy to take along",
    "right_rectification": "a correction",
    "right_erasure": "to be forgotten",
    "right_restriction": "to have nothing used",
    "right_objection": "an objection",
    "state_unconfirmed": "waits for the link in our mail",
    "state_open": "under way",
    "state_done": "done",
    "state_refused": "not done",
    "confirm-subscription_title": "Do you want our mails?",
    "confirm-subscription": "{shop} will write to {email}.",
    "agree": "This is what you agree to:",
    "confirm-subscription_button": "Yes, I want them",
    "confirm-subscription_done_title": "Thank you",
    "confirm-subscription_done": "We have noted that you agree. You can take it back at any time, by the link in "
    "every mail.",
    "keep-subscription_title": "Shall we keep writing?",
    "keep-subscription": "{shop} goes on writing to {email}.",
    "keep-subscription_button": "Yes, keep writing",
    "keep-subscription_done_title": "Good to have you",
    "keep-subscription_done": "We go on writing. You can stop it at any time, by the link in every mail.",
    "answer-survey_title": "How likely are you to recommend us?",
    "answer-survey": "Your answer helps {shop} to do better. It goes to nobody else.",
    "answer-survey_button": "Send my answer",
    "answer-survey_done_title": "Thank you",
    "answer-survey_done": "Your answer has reached us. If something went wrong, somebody looks at it.",
    "score_legend": "Choose a number",
    "score_lowest": "0: not at all",
    "score_highest": "10: very likely",
    "choose_score": "Please choose a number from 0 to 10.",
    "change-email_title": "Is this your address?",
    "change-email": "{shop} will write to {email} from now on.",
    "change-email_button": "Yes, use this address",
    "change-email_done_title": "Thank you",
    "change-email_done": "We use your new address from now on.",
    "confirm-erasure_title": "Shall we forget you?",
    "confirm-erasure": "{shop} erases everything it holds about {email}. Nobody can bring it back.",
    "confirm-erasure_button": "Yes, erase my data",
    "confirm-erasure_done_title": "We are forgetting you",
    "confirm-erasure_done": "It takes a few minutes. One last mail tells you that it began.",
    "download_title": "Your data",
    "download_text": "One file with everything {shop} holds about you. Open index.html in it to read; the rest is for "
    "programs. The link is good once.",
    "download_button": "Download",
    "close": "You can close this page.",
    "accident": "Came here by accident? Just close this page.",
    "unsubscribe_title": "Stop these e-mails?",
    "unsubscribe_text": "{shop} will send you no more offers and reminders by e\u2011mail.",
    "unsubscribe_button": "Unsubscribe",
    "unsubscribe_orders": "Mails about your orders still arrive.",
    "unsubscribed_title": "You are unsubscribed",
    "unsubscribed": "We have noted it and send you no more offers and reminders by e\u2011mail.",
    "unsubscribe_unknown_title": "We do not know this link",
    "unsubscribe_unknown": "It may have been cut in two on its way here. Try the link in the mail again, or write to "
    "the shop.",
}

_PL: Final = {
    "title": "Twoje dane i Twoje decyzje",
    "intro": "Ta strona należy do {email} w sklepie {shop}. Działa bez hasła: otworzy ją każdy, kto ma link z Twojego "
    "e-maila.",
    "saved": "Zapisano. Obowiązuje od tej chwili.",
    "asked_email": "Wysłaliśmy wiadomość na nowy adres. Gdy klikniesz w niej link, zaczniemy go używać.",
    "asked_export": "Przygotowujemy Twoje dane. Za kilka minut otrzymasz link e-mailem.",
    "asked_erasure": "Wysłaliśmy Ci e-mail. Kliknij w nim link, a usuniemy Twoje dane.",
    "wrong": "Nie udało się zapisać. Sprawdź pole: {field}.",
    "choices": "Na co się zgadzasz",
    "save_choices": "Zapisz moje decyzje",
    "wording": "Na co dokładnie się zgadzam?",
    "restricted": "Obecnie nie używamy Twoich danych. Tylko je przechowujemy.",
    "details": "Jak się do Ciebie zwracać",
    "first_name": "Imię",
    "language": "Język",
    "time_zone": "Strefa czasowa",
    "unchanged": "Bez zmian",
    "save_details": "Zapisz",
    "email": "Nowy adres e-mail",
    "email_intro": "Piszemy na {email}. Inny adres zacznie obowiązywać, gdy go potwierdzisz.",
    "save_email": "Wyślij potwierdzenie",
    "held": "Co o Tobie przechowujemy",
    "held_nothing": "Nic poza tym, co widać na tej stronie.",
    "download_intro": "Możesz otrzymać kopię wszystkich danych. Link przyjdzie e-mailem i zadziała jeden raz.",
    "download": "Wyślij mi kopię",
    "wishes": "O co prosisz",
    "wish": "{right}, {day}: {state}",
    "stop": "Zatrzymaj albo usuń",
    "restrict_intro": "Możemy przechowywać Twoje dane i wcale ich nie używać, jak długo zechcesz.",
    "restrict": "Nie używajcie moich danych",
    "unrestrict": "Możecie znów używać moich danych",
    "erase_intro": "Możemy usunąć Twoje dane. Faktury zostają tak długo, jak wymaga prawo. Tego nie da się cofnąć, "
    "więc zapytamy jeszcze raz e-mailem.",
    "erase": "Usuńcie moje dane",
    "unknown_title": "Ten link już nie działa",
    "unknown": "Może jest stary albo trafił na poprzedni adres. Użyj linku z najnowszej wiadomości lub napisz do "
    "sklepu.",
    "right_access": "kopia danych",
    "right_portability": "kopia do przeniesienia",
    "right_rectification": "poprawka",
    "right_erasure": "usunięcie danych",
    "right_restriction": "nieużywanie danych",
    "right_objection": "sprzeciw",
    "state_unconfirmed": "czeka na kliknięcie linku w e-mailu",
    "state_open": "w toku",
    "state_done": "gotowe",
    "state_refused": "nie wykonano",
    "confirm-subscription_title": "Chcesz otrzymywać nasze wiadomości?",
    "confirm-subscription": "{shop} będzie pisać na {email}.",
    "agree": "Zgadzasz się na to:",
    "confirm-subscription_button": "Tak, chcę",
    "confirm-subscription_done_title": "Dziękujemy",
    "confirm-subscription_done": "Zapisaliśmy Twoją zgodę. Możesz ją odwołać w każdej chwili linkiem z dowolnej "
    "wiadomości.",
    "keep-subscription_title": "Czy mamy dalej pisać?",
    "keep-subscription": "{shop} będzie nadal pisać na {email}.",
    "keep-subscription_button": "Tak, piszcie dalej",
    "keep-subscription_done_title": "Dobrze, że zostajesz",
    "keep-subscription_done": "Piszemy dalej. Możesz to zatrzymać w każdej chwili linkiem z dowolnej wiadomości.",
    "answer-survey_title": "Czy polecisz nas znajomym?",
    "answer-survey": "Twoja odpowiedź pomaga sklepowi {shop} się poprawiać. Nie trafi do nikogo innego.",
    "answer-survey_button": "Wyślij odpowiedź",
    "answer-survey_done_title": "Dziękujemy",
    "answer-survey_done": "Odpowiedź do nas dotarła. Jeśli coś poszło nie tak, ktoś się tym zajmie.",
    "score_legend": "Wybierz liczbę",
    "score_lowest": "0: wcale",
    "score_highest": "10: na pewno",
    "choose_score": "Wybierz liczbę od 0 do 10.",
    "change-email_title": "Czy to Twój adres?",
    "change-email": "{shop} będzie odtąd pisać na {email}.",
    "change-email_button": "Tak, używajcie tego adresu",
    "change-email_done_title": "Dziękujemy",
    "change-email_done": "Od teraz używamy nowego adresu.",
    "confirm-erasure_title": "Czy mamy usunąć Twoje dane?",
    "confirm-erasure": "{shop} usunie wszystko, co przechowuje o {email}. Tego nie da się cofnąć.",
    "confirm-erasure_button": "Tak, usuńcie moje dane",
    "confirm-erasure_done_title": "Usuwamy Twoje dane",
    "confirm-erasure_done": "To potrwa kilka minut. Ostatni e-mail powie, że zaczęliśmy.",
    "download_title": "Twoje dane",
    "download_text": "Jeden plik ze wszystkim, co {shop} o Tobie przechowuje. Otwórz w nim index.html; reszta jest dla "
    "programów. Link działa jeden raz.",
    "download_button": "Pobierz",
    "close": "Możesz zamknąć tę stronę.",
    "accident": "Jesteś tu przypadkiem? Po prostu zamknij tę stronę.",
    "unsubscribe_title": "Nie wysyłać więcej takich e-maili?",
    "unsubscribe_text": "{shop} nie będzie już wysyłać Ci ofert ani przypomnień e\u2011mailem.",
    "unsubscribe_button": "Wypisz mnie",
    "unsubscribe_orders": "Wiadomości o Twoich zamówieniach będą nadal przychodzić.",
    "unsubscribed_title": "Wypisaliśmy Cię",
    "unsubscribed": "Zapisaliśmy to i nie wyślemy Ci już ofert ani przypomnień e\u2011mailem.",
    "unsubscribe_unknown_title": "Nie znamy tego linku",
    "unsubscribe_unknown": "Może po drodze został przecięty na pół. Spróbuj jeszcze raz otworzyć link z wiadomości lub "
    "napisz do sklepu.",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType({"en": _EN, "pl": _PL})


@dataclass(frozen=True, slots=True)
class Speech:
    """The texts of one language, to be filled with what is escaped on the way."""

    language: str

    def __call__(self, name: str, **values: object) -> str:
        """Return a text as HTML."""
        said = {key: f"<strong>{escaped(str(value))}</strong>" for key, value in values.items()}
        return escaped(TEXTS[self.language][name]).format(**said)

    def plain(self, name: str, **values: object) -> str:
        """Return a text, not escaped."""
        return TEXTS[self.language][name].format(**values)


def speech_for(accepted: str) -> Speech:
    """Return the texts for an Accept-Language header."""
    return Speech(language_of(accepted))


def language_of(accepted: str) -> str:
    """Return the first language of an Accept-Language header that the pages speak, else English."""
    weighed = []
    for position, part in enumerate(accepted[:500].split(",")):
        name, _, weight = part.strip().partition(";q=")
        try:
            weighed.append((-float(weight or 1), position, name.partition("-")[0].lower()))
        except ValueError:
            continue
    return next((name for _, _, name in sorted(weighed) if name in TEXTS), "en")
