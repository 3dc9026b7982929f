"""The asker's language: recognised, and what the bot itself says in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

_CERTAIN = 0.7
_FOREIGN = "ar cs da el fi hu ja ko no ro ru sv tr uk zh".split()


@dataclass(frozen=True, slots=True)
class Language:
    """``name`` in English, as a model is told, or empty; the rest is said to people.

    ``not_found_alone`` is for one reader, ``not_found`` for several; ``help_asked`` is how people
    ask for help.
    """

    code: str
    name: str
    greeting: str
    not_found: str
    disagree: str
    cut_short: str
    stopped: str
    welcome: str
    not_found_alone: str
    help: str
    help_documents: str
    help_read: str
    help_stale: str
    help_nothing: str
    help_try: str
    help_question: str
    help_asked: str


ENGLISH = Language(
    "en",
    "English",
    "Hello! Ask me anything that your team's documents may answer, for instance "
    "“How do I get access to …?” I answer with numbered sources.",
    "I could not find this in the documents that everyone here may read.",
    "These sources disagree:",
    "(I ran out of time here.)",
    "Stopped.",
    "You are welcome!",
    "I could not find this in the documents that you may read.",
    "I answer questions from these sources, and name the page behind each answer:",
    "documents: {count}",
    "as of {moment}",
    "perhaps out of date",
    "none that you may read here yet",
    "You could ask, for instance:",
    "What do the documents say about “{topic}”?",
    "What can you help me with?",
)
_LANGUAGES = (
    ENGLISH,
    Language(
        "de",
        "German",
        "Hallo! Frag mich alles, was in den Dokumenten eures Teams stehen könnte, zum Beispiel "
        "„Wie bekomme ich Zugang zu …?“ Ich antworte mit nummerierten Quellen.",
        "Das habe ich in den Dokumenten, die hier alle lesen dürfen, nicht gefunden.",
        "Diese Quellen widersprechen sich:",
        "(Hier war meine Zeit um.)",
        "Angehalten.",
        "Gern geschehen!",
        "Das habe ich in den Dokumenten, die du lesen darfst, nicht gefunden.",
        "Ich beantworte Fragen aus diesen Quellen und nenne zu jeder Antwort die Seite:",
        "Dokumente: {count}",
        "Stand {moment}",
        "vielleicht veraltet",
        "noch keine, die ihr hier lesen dürft",
        "Frag mich zum Beispiel:",
        "Was sagen die Dokumente über „{topic}“?",
        "Wobei kannst du mir helfen?",
    ),
    Language(
        "fr",
        "French",
        "Bonjour ! Posez-moi toute question à laquelle les documents de votre équipe peuvent "
        "répondre, par exemple « Comment obtenir l'accès à … ? » Je réponds avec des sources "
        "numérotées.",
        "Je ne l'ai pas trouvé dans les documents que tout le monde ici peut lire.",
        "Ces sources se contredisent :",
        "(Le temps m'a manqué ici.)",
        "Arrêté.",
        "Avec plaisir !",
        "Je ne l'ai pas trouvé dans les documents que vous pouvez lire.",
        "Je réponds à partir de ces sources et je nomme la page derrière chaque réponse :",
        "documents : {count}",
        "état du {moment}",
        "peut-être périmés",
        "aucune que vous puissiez lire ici pour l'instant",
        "Demandez-moi par exemple :",
        "Que disent les documents sur « {topic} » ?",
        "En quoi pouvez-vous m'aider ?",
    ),
    Language(
        "es",
        "Spanish",
        "¡Hola! Pregúntame lo que puedan responder los documentos de tu equipo, por ejemplo "
        "«¿Cómo consigo acceso a …?». Respondo con fuentes numeradas.",
        "No lo he encontrado en los documentos que todos aquí pueden leer.",
        "Estas fuentes se contradicen:",
        "(Aquí se me acabó el tiempo.)",
        "Detenido.",
        "¡De nada!",
        "No lo he encontrado en los documentos que puedes leer.",
        "Respondo con estas fuentes y nombro la página de cada respuesta:",
        "documentos: {count}",
        "a fecha de {moment}",
        "quizá anticuados",
        "ninguna que puedas leer aquí todavía",
        "Puedes preguntarme, por ejemplo:",
        "¿Qué dicen los documentos sobre «{topic}»?",
        "¿En qué puedes ayudarme?",
    ),
    Language(
        "it",
        "Italian",
        "Ciao! Chiedimi ciò a cui i documenti del tuo team possono rispondere, per esempio "
        "«Come ottengo l'accesso a …?». Rispondo con fonti numerate.",
        "Non l'ho trovato nei documenti che tutti qui possono leggere.",
        "Queste fonti si contraddicono:",
        "(Qui è finito il mio tempo.)",
        "Interrotto.",
        "Prego!",
        "Non l'ho trovato nei documenti che puoi leggere.",
        "Rispondo da queste fonti e nomino la pagina di ogni risposta:",
        "documenti: {count}",
        "aggiornati al {moment}",
        "forse non aggiornati",
        "ancora nessuna che tu possa leggere qui",
        "Puoi chiedermi, per esempio:",
        "Che cosa dicono i documenti su «{topic}»?",
        "In cosa puoi aiutarmi?",
    ),
    Language(
        "pt",
        "Portuguese",
        "Olá! Pergunte-me o que os documentos da sua equipe possam responder, por exemplo "
        "“Como consigo acesso a …?”. Respondo com fontes numeradas.",
        "Não encontrei isso nos documentos que todos aqui podem ler.",
        "Estas fontes se contradizem:",
        "(Aqui o meu tempo acabou.)",
        "Parado.",
        "De nada!",
        "Não encontrei isso nos documentos que você pode ler.",
        "Respondo a partir destas fontes e digo a página de cada resposta:",
        "documentos: {count}",
        "de {moment}",
        "talvez desatualizados",
        "ainda nenhuma que você possa ler aqui",
        "Você pode perguntar, por exemplo:",
        "O que dizem os documentos sobre “{topic}”?",
        "Em que você pode me ajudar?",
    ),
    Language(
        "nl",
        "Dutch",
        "Hallo! Vraag me alles waarop de documenten van je team antwoord kunnen geven, "
        "bijvoorbeeld “Hoe krijg ik toegang tot …?” Ik antwoord met genummerde bronnen.",
        "Ik heb dit niet gevonden in de documenten die iedereen hier mag lezen.",
        "Deze bronnen spreken elkaar tegen:",
        "(Hier was mijn tijd om.)",
        "Gestopt.",
        "Graag gedaan!",
        "Ik heb dit niet gevonden in de documenten die je mag lezen.",
        "Ik antwoord uit deze bronnen en noem bij elk antwoord de pagina:",
        "documenten: {count}",
        "stand {moment}",
        "misschien verouderd",
        "nog geen die je hier mag lezen",
        "Je kunt bijvoorbeeld vragen:",
        "Wat zeggen de documenten over “{topic}”?",
        "Waarmee kun je me helpen?",
    ),
    Language(
        "pl",
        "Polish",
        "Cześć! Zapytaj mnie o wszystko, na co mogą odpowiedzieć dokumenty zespołu, na przykład "
        "„Jak uzyskać dostęp do …?”. Odpowiadam z ponumerowanymi źródłami.",
        "Nie znalazłem tego w dokumentach, które wszyscy tutaj mogą czytać.",
        "Te źródła są ze sobą sprzeczne:",
        "(Tu skończył się mój czas.)",
        "Zatrzymano.",
        "Nie ma za co!",
        "Nie znalazłem tego w dokumentach, które możesz czytać.",
        "Odpowiadam na podstawie tych źródeł i podaję stronę przy każdej odpowiedzi:",
        "dokumenty: {count}",
        "stan na {moment}",
        "być może nieaktualne",
        "na razie żadnych, które możesz tu czytać",
        "Możesz na przykład zapytać:",
        "Co dokumenty mówią o „{topic}”?",
        "W czym możesz mi pomóc?",
    ),
)
_BY_CODE = {language.code: language for language in _LANGUAGES} | {
    # known well enough not to be taken for another; people are then told things in English
    code: replace(ENGLISH, code=code, name="")
    for code in _FOREIGN
}


def language_named(code: str) -> Language | None:
    """The language of an ISO 639-1 code that a person has chosen; None where it is unknown."""
    return next((language for language in _LANGUAGES if language.code == code), None)


def language_of(text: str, otherwise: Language = ENGLISH) -> Language:
    """The language of a text, ``otherwise`` where it is too short or odd to be certain."""
    code, probability = _identifier().classify(text)
    return _BY_CODE[code] if probability >= _CERTAIN else otherwise


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(_BY_CODE))
    return identifier
