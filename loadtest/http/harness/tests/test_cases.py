import json
import unittest

from harness.cases import CASES, REQUESTS, WrongAnswer, product

PRODUCT, EVENT, EVENTS = CASES


def answer(value):
    return json.dumps(value).encode()


class CaseTest(unittest.TestCase):
    def test_all_servers_are_asked_the_same(self):
        paths = [path for _, path, _ in PRODUCT.requests()]
        self.assertEqual(paths, [path for _, path, _ in PRODUCT.requests()])
        self.assertEqual(len(paths), REQUESTS)
        self.assertGreater(len(set(paths)), REQUESTS // 2)

    def test_a_body_is_one_line_with_as_many_events_as_the_case_says(self):
        for case in (EVENT, EVENTS):
            for method, path, body in case.requests()[:3]:
                self.assertEqual((method, path), ("POST", "/events"))
                self.assertNotIn("\n", body)
                events = json.loads(body)
                self.assertEqual(len(events) if isinstance(events, list) else 1, case.events)

    def test_an_answer_with_another_status_or_content_is_refused(self):
        PRODUCT.check("/products/7", 200, answer({**product(7), "created_at": "any"}))
        EVENTS.check("/events", 202, answer({"accepted": 100, "rejected": []}))
        for case, path, status, body in [
            (PRODUCT, "/products/7", 200, product(8)),
            (PRODUCT, "/products/7", 404, product(7)),
            (PRODUCT, "/products/7", 200, {}),
            (EVENTS, "/events", 202, {"accepted": 99, "rejected": []}),
            (EVENT, "/events", 200, {"accepted": 1, "rejected": []}),
        ]:
            with self.assertRaises(WrongAnswer):
                case.check(path, status, answer(body))
        with self.assertRaisesRegex(WrongAnswer, "no JSON"):
            EVENT.check("/events", 202, b"<html>")
