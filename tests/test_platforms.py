"""Questions of a learning platform become a topic; what they lack is assumed, what is no use is left out, both said."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_formats import READERS, Document, Format
from bank_formats.markup import Unsayable, plain_text
from bank_formats.platforms import categories, slug
from bank_lines import InvalidBank
from question_bank import Concept, Topic
from topic_files import checked_topic

MOODLE = """\
<?xml version="1.0" encoding="UTF-8"?>
<quiz>
<!-- question: 0  -->
  <question type="category">
    <category><text>$course$/top/Databases/Transactions</text></category>
  </question>
  <question type="essay">
    <name><text>Deadlock</text></name>
    <questiontext format="html">
      <text><![CDATA[<p>What keeps two transactions<br>waiting for <b>ever</b> &amp; ever?</p>]]></text>
    </questiontext>
    <graderinfo format="html"><text><![CDATA[<p>A cycle of waits: n<sup>2</sup> locks.</p>]]></text></graderinfo>
    <idnumber>db-1</idnumber>
    <tags>
      <tag><text>difficulty:hard</text></tag>
      <tag><text>concept:Deadlock</text></tag>
      <tag><text>concept:Lock</text></tag>
      <tag><text>keyword:cycle</text></tag>
      <tag><text>exam 2024</text></tag>
    </tags>
  </question>
  <question type="shortanswer">
    <name><text>Who waits</text></name>
    <questiontext format="plain_text"><text>Who waits for List&lt;int&gt;?</text></questiontext>
    <answer fraction="100"><text>*the second*</text></answer>
    <answer fraction="50"><text>nobody</text></answer>
    <answer fraction="0"><text>*</text></answer>
    <answer fraction="100"><text>2 \\* 3</text></answer>
  </question>
  <question type="multichoice">
    <name><text>Pick one</text></name>
  </question>
  <question type="essay">
    <name><text>Picture</text></name>
    <questiontext format="html"><text><![CDATA[What is <img src="@@PLUGINFILE@@/a.png">?]]></text></questiontext>
  </question>
  <question type="essay">
    <name><text>Silent</text></name>
    <questiontext format="html"><text>Why?</text></questiontext>
  </question>
  <question type="essay">
    <name><text>Gone</text></name>
    <hidden>1</hidden>
  </question>
</quiz>
"""

GIFT = """\
// A quiz.
$CATEGORY: $course$/top/Databases/Transactions
// [id:db-1] [tag:difficulty:hard]
// [tag:concept:Deadlock] [tag:exam \\] 2024]
::Deadlock::[html]<p>What keeps two transactions
waiting \\{for ever\\}?</p>{
####A cycle
of waits\\: a \\= b.}

::Who \\:\\: waits::Who waits for List<int>? {
  =the second#right!
  =%50%nobody
  =*
  =%100%the \\= sign
}

::Blank::A deadlock is {=a cycle} of waits.

::Choice::Pick {=one ~two}

::Number::How many? {#3:1}

::Truth::Is it so? {TRUE#yes}

::Match::Match. {=a -> b =c -> d}

::Told::Read this.

::Open::Why? {=because

::Twice::One {=a} and {=b}.

::Essay::Say why. {}

What has no name? {=this}

// [tag:concept:Lost]
"""


@pytest.mark.parametrize("tag", ["retired", "Retired: TRUE"])
def test_a_tag_retires_a_question(tag: str) -> None:
    moodle = MOODLE.replace("<text>exam 2024</text>", f"<text>{tag}</text>")
    gift = GIFT.replace("[tag:exam \\] 2024]", f"[tag:{tag}]")
    for text, as_format in ((moodle, Format.XML), (gift, Format.GIFT)):
        document = READERS[as_format](text, f"quiz.{as_format}")
        questions = checked_topic(document.lines, document.values).questions
        assert [question.retired for question in questions] == [True] + [False] * (len(questions) - 1)


def test_a_mark_that_says_nothing_is_named_by_its_line() -> None:
    document = READERS[Format.XML](MOODLE.replace("exam 2024", "retired:perhaps"), "quiz.xml")
    with pytest.raises(InvalidBank) as refusal:
        checked_topic(document.lines, document.values)
    line = MOODLE[: MOODLE.index("exam 2024")].count("\n") + 1
    assert str(refusal.value) == f"quiz.xml:{line}: questions.0.retired: Must be true or false."


PIECES = [
    *(
        "kind,topic,title,name,subtopic,id,difficulty,text,concept_1\n",
        "topic,go,Go\n",
        "concept,",
        "question,",
        '"',
        ";",
    ),
    *("\n", "\n\n", "::", "{", "}", "=", "~", "#", "####", "->", "\\", "%50%", "[html]", "$CATEGORY: a/b\n"),
    *("// [tag:concept:A] [id:a]\n", "<text>", "</text>", "<name>", "</name>", "<questiontext>", "</questiontext>"),
    *(
        "<graderinfo>",
        "</graderinfo>",
        "<![CDATA[",
        "<![x",
        "]]>",
        "<!--",
        "-->",
        "<p>",
        "&lt;",
        "&#0;",
        "<b a='",
        "Why?",
    ),
]
"""Of which files are made."""


def read(text: str, as_format: Format, name: str = "") -> tuple[Topic, list[str]]:
    document = document_of(text, as_format, name)
    return checked_topic(document.lines, document.values), [str(notice) for notice in document.notices]


def document_of(text: str, as_format: Format, name: str = "") -> Document:
    return READERS[as_format](text, name or f"quiz.{as_format}")


def complaints(text: str, as_format: Format) -> list[str]:
    with pytest.raises(InvalidBank) as refusal:
        read(text, as_format)
    return [str(problem) for problem in refusal.value.problems]


# Moodle's XML


def test_essays_and_short_answers_of_moodle_become_a_topic() -> None:
    topic, _ = read(MOODLE, Format.XML)
    assert (topic.slug, topic.title) == ("databases", "Databases")
    assert topic.concepts == (
        Concept(name="Deadlock", subtopic="transactions"),
        Concept(name="Lock", subtopic="transactions"),
        Concept(name="Who waits", subtopic="transactions"),
    )
    essay, short = topic.questions
    assert (essay.id, essay.difficulty, essay.concepts) == ("db-1", "hard", ("Deadlock", "Lock"))
    assert essay.text == "What keeps two transactions waiting for ever & ever?"
    assert essay.expected_answers == ("A cycle of waits: n^2 locks.",)
    assert essay.keywords == ("cycle",)
    assert (short.id, short.difficulty, short.text) == ("databases-who-waits", "medium", "Who waits for List<int>?")
    assert short.expected_answers == ("the second", "2 * 3")


def test_what_moodle_holds_and_lacks_is_said_by_its_line() -> None:
    assert read(MOODLE, Format.XML)[1] == [
        "quiz.xml:19: The tag 'exam 2024' says nothing here.",
        "quiz.xml:22: No tag concept:NAME: its name 'Who waits' is its concept.",
        "quiz.xml:22: No tag difficulty:NAME: it is medium.",
        "quiz.xml:25: Wildcards mean nothing here: '*the second*' is expected as 'the second'.",
        "quiz.xml:26: Left out: the answer 'nobody' earns 50 %, not 100 %.",
        "quiz.xml:27: Left out: the answer '*' earns 0 %, not 100 %.",
        "quiz.xml:30: Left out: 'Pick one': a question of the type 'multichoice'.",
        "quiz.xml:33: Left out: 'Picture': it shows <img>.",
        "quiz.xml:37: Left out: there is no expected answer.",
        "quiz.xml:41: Left out: 'Gone': the question is hidden.",
    ]


def test_general_feedback_is_expected_where_graders_are_told_nothing() -> None:
    text = MOODLE.replace("graderinfo", "generalfeedback")
    topic, notices = read(text, Format.XML)
    assert topic.questions[0].expected_answers == ("A cycle of waits: n^2 locks.",)
    assert "quiz.xml:12: No graderinfo: the general feedback is the expected answer." in notices


def test_a_file_that_comes_with_a_question_leaves_it_out() -> None:
    text = MOODLE.replace("</graderinfo>", '<file name="a.png" encoding="base64">iVBO</file></graderinfo>')
    assert "quiz.xml:7: Left out: 'Deadlock': it comes with a file." in read(text, Format.XML)[1]


def test_without_a_category_the_file_names_the_topic() -> None:
    text = MOODLE.replace('"category"', '"description"')
    topic, notices = read(text, Format.XML, "exams/Data bases.xml")
    assert (topic.slug, topic.title) == ("data-bases", "Data bases")
    assert {question.subtopic for question in topic.questions} == {"general"}
    assert [notice.partition(": ")[2] for notice in notices if ":7:" in notice] == [
        "Neither its category nor a tag subtopic:NAME names a subtopic: it is 'general'."
    ]


def test_a_quiz_over_two_topics_is_refused() -> None:
    second = '<question type="category"><category><text>top/Networks</text></category></question>\n'
    text = MOODLE.replace('  <question type="shortanswer">', second + '  <question type="shortanswer">')
    assert complaints(text, Format.XML)[0] == (
        "quiz.xml:23: A file holds one topic: this is of 'Networks', others of 'Databases'."
    )


def test_what_the_bank_refuses_is_named_by_the_line_of_the_quiz() -> None:
    assert complaints(MOODLE.replace("difficulty:hard", "difficulty:harsh"), Format.XML) == [
        "quiz.xml:15: questions.0.difficulty: Must be one of: easy, medium, hard."
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "quiz.xml:1: This is not XML: no element found."),
        ("<quiz>\n<question></quiz>", "quiz.xml:2: This is not XML: mismatched tag."),
        ("<html/>", "quiz.xml:1: This is not Moodle's XML: <html>, not <quiz>."),
        ("<quiz/>", "quiz.xml:1: No question of this file can be used."),
        ("<quiz>" + "<a>" * 30, "quiz.xml:1: This nests deeper than 20 levels."),
        (
            '<!DOCTYPE quiz [\n<!ENTITY a "a">]>\n<quiz>&a;</quiz>',
            "quiz.xml:1: Document types and entities are not used here.",
        ),
        (
            '<!DOCTYPE quiz SYSTEM "http://localhost/x.dtd">\n<quiz/>',
            "quiz.xml:1: Document types and entities are not used here.",
        ),
    ],
)
def test_what_is_no_quiz_is_refused(text: str, complaint: str) -> None:
    assert complaints(text, Format.XML) == [complaint]


# GIFT


def test_essays_and_short_answers_of_gift_become_a_topic() -> None:
    topic, _ = read(GIFT, Format.GIFT)
    assert (topic.slug, topic.title) == ("databases", "Databases")
    assert topic.concepts == tuple(
        Concept(name=name, subtopic="transactions") for name in ("Deadlock", "Who :: waits", "Blank")
    )
    essay, short, blank = topic.questions
    assert (essay.id, essay.difficulty, essay.concepts) == ("db-1", "hard", ("Deadlock",))
    assert essay.text == "What keeps two transactions waiting {for ever}?"
    assert essay.expected_answers == ("A cycle of waits: a = b.",)
    assert (short.id, short.text) == ("databases-who-waits", "Who waits for List<int>?")
    assert short.expected_answers == ("the second", "the = sign")
    assert (blank.text, blank.expected_answers) == ("A deadlock is _____ of waits.", ("a cycle",))


def test_what_gift_holds_and_lacks_is_said_by_its_line() -> None:
    assert read(GIFT, Format.GIFT)[1] == [
        "quiz.gift:4: The tag 'exam ] 2024' says nothing here.",
        "quiz.gift:10: No tag concept:NAME: its name 'Who :: waits' is its concept.",
        "quiz.gift:10: No tag difficulty:NAME: it is medium.",
        "quiz.gift:12: Left out: the answer 'nobody' earns 50 %, not 100 %.",
        "quiz.gift:13: Left out: the answer '*' stands for any answer.",
        "quiz.gift:17: No tag concept:NAME: its name 'Blank' is its concept.",
        "quiz.gift:17: No tag difficulty:NAME: it is medium.",
        "quiz.gift:19: Left out: a question with choices.",
        "quiz.gift:21: Left out: a numerical question.",
        "quiz.gift:23: Left out: a question of true or false.",
        "quiz.gift:25: Left out: a question of matching.",
        "quiz.gift:27: Left out: a description without answers.",
        "quiz.gift:29: Left out: '{' and '}' do not match.",
        "quiz.gift:31: Left out: there is more than one answer in braces; a brace of a text is written \\{ or \\}.",
        "quiz.gift:33: Left out: there is no expected answer.",
        "quiz.gift:35: Left out: neither a name nor an id tells the question from others.",
        "quiz.gift:37: Left out: these tags stand before no question.",
    ]


@pytest.mark.parametrize(
    ("question", "why"),
    [
        ("::Open title: why? {=a}", "the title is not closed by '::'"),
        ("::Said::Why? {because}", "an answer begins with '='"),
        ("::Said::Why? {~a ~b}", "a question with choices"),
        ("::Image::[html]<img src=x> {=a}", "it shows <img>"),
        ("::No text::{=a}", "the question has no text"),
        ("// [id:x]\nWhy? {=a}", "neither a name nor a tag concept:NAME says what the question probes"),
    ],
)
def test_a_question_of_no_use_is_left_out(question: str, why: str) -> None:
    number = 2 if question.startswith("//") else 1
    assert set(complaints(question, Format.GIFT)) == {
        "quiz.gift:1: No question of this file can be used.",
        f"quiz.gift:{number}: Left out: {why}.",
    }


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("=C\\####right!", ("C#",)),
        ("=a \\= b#no =c", ("a = b", "c")),
        ("=\\~10 \\{x\\}", ("~10 {x}",)),
        ("=a\\nb ####All said.", ("a b",)),
        ("= 2 \\* 3", ("2 * 3",)),
        ("=it grows * fast", ("it grows fast",)),
        ("=%100%a =%100.0%b =%99.9%c", ("a", "b")),
        ("####C\\# is\n\tone", ("C# is one",)),
    ],
)
def test_signs_of_gift_that_are_escaped_are_text(answers: str, expected: tuple[str, ...]) -> None:
    topic, _ = read(f"::Name::Why?{{{answers}}}", Format.GIFT)
    assert topic.questions[0].expected_answers == expected


def test_a_concept_is_the_same_in_any_case() -> None:
    text = "// [tag:concept:Deadlock]\n::A::Why? {=a}\n\n// [tag:concept:deadlock] [tag:Hard]\n::B::How? {=b}"
    topic, _ = read(text, Format.GIFT)
    assert [concept.name for concept in topic.concepts] == ["Deadlock"]
    assert topic.questions[1].concepts == ("Deadlock",)
    assert topic.questions[1].difficulty == "hard"


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_lines_may_end_in_any_way(ending: str) -> None:
    assert read("\ufeff" + GIFT.replace("\n", ending), Format.GIFT) == read(GIFT, Format.GIFT)


def test_an_edited_text_keeps_the_id_and_an_edited_name_does_not() -> None:
    ids = [question.id for question in read(GIFT, Format.GIFT)[0].questions]
    edited = GIFT.replace("Who waits for", "Who has to wait for").replace("::Blank::", "::Gap::")
    assert [question.id for question in read(edited, Format.GIFT)[0].questions] == [*ids[:2], "databases-gap"]
    assert ids[2] == "databases-blank"


def test_a_name_without_latin_letters_still_gives_an_id_that_stays() -> None:
    text = "$CATEGORY: Netze\n::Что это::Was ist das? {=ein Netz}"
    [question] = read(text, Format.GIFT)[0].questions
    assert question.id == read(text.replace("Was ist", "Was war"), Format.GIFT)[0].questions[0].id
    assert question.id.startswith("netze-")


# Their parts


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("$course$/top/Databases/SQL", ("Databases", "SQL")),
        ("$system$/top/Databases", ("Databases",)),
        ("Input//Output/Files", ("Input/Output", "Files")),
        ("top", ()),
        ("", ()),
    ],
)
def test_a_category_is_a_way_without_the_platform_s_roots(path: str, names: tuple[str, ...]) -> None:
    assert categories(path) == names


def test_a_slug_has_only_what_an_id_may_have() -> None:
    assert slug("  Größe & C++/Übung_2 ") == "grosse-c-ubung-2"
    assert slug("x" * 200) == "x" * 100
    assert slug("中文") == ""


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<p>a</p><p>b</p>", "a b"),
        ("un<em>believ</em>able", "unbelievable"),
        ("a &lt; b &amp;&amp; b<c", "a < b && b<c"),
        ("List<int> x", "List<int> x"),
        ("x<sup>2</sup> H<sub>2</sub>O", "x^2 H_2O"),
        ("<ul><li>one</li><li>two</li></ul>", "one two"),
        ("<script>alert(1)</script>said<style>p {}</style>", "said"),
        ("a<!-- hidden -->b", "ab"),
        ("<!--[if mso]>x<![endif]-->a<![if !vml]>b<![endif]>", "a b"),
        ("<?php echo 1 ?> and <![x y]]>", "<?php echo 1 ?> and <![x y]]>"),
        ("", ""),
    ],
)
def test_html_becomes_words(html: str, words: str) -> None:
    assert plain_text(html) == words


@pytest.mark.parametrize("tag", ["img", "video", "svg", "iframe"])
def test_what_no_text_can_say_is_refused(tag: str) -> None:
    with pytest.raises(Unsayable, match=tag):
        plain_text(f"What is <{tag} src='x'>?")


# Whatever comes


@pytest.mark.parametrize("as_format", [Format.CSV, Format.GIFT, Format.XML])
@given(pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25))
def test_any_text_is_read_or_refused_with_a_line_that_it_has(as_format: Format, pieces: list[str]) -> None:
    body = "".join(pieces)
    text = f"<quiz><question type='essay'>{body}</question></quiz>" if as_format is Format.XML else body
    try:
        document = document_of(text, as_format)
        found = list(document.notices)
        checked_topic(document.lines, document.values)
    except InvalidBank as error:
        found = error.problems
    assert all(1 <= problem.line <= len(re.split(r"\r\n|\r|\n", text)) for problem in found)


@given(pieces=st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=25))
def test_any_markup_becomes_words_or_is_refused(pieces: list[str]) -> None:
    with suppress(Unsayable):
        words = plain_text("".join(pieces))
        assert words == " ".join(words.split())
