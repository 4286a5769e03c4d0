import os
import unittest

from peers.runner.peer import PEERS, UnknownEngine, all_engines, choose


class PeerTest(unittest.TestCase):
    def test_every_peer_keeps_the_contract(self):
        folders = {path.parent for path in PEERS.glob("*/peer.json")}
        self.assertEqual(folders, {engine.folder for engine in all_engines()})
        for folder in folders:
            for program in ("setup", "run"):
                self.assertTrue(os.access(folder / program, os.X_OK), f"{folder.name}/{program} is no program")

    def test_footfall_has_the_first_turn(self):
        self.assertTrue(all_engines()[0].is_reference)

    def test_engines_are_chosen_by_name_parallelism_and_source(self):
        def keys(*choice):
            return [engine.key for engine in choose(all_engines(), *choice)]

        self.assertEqual(keys(["polars"], [2], ("files",)), ["polars/batch@2"])
        self.assertEqual(keys(["footfall/kafka"], None, ("files", "kafka")), ["footfall/kafka@1", "footfall/kafka@2"])
        self.assertEqual(keys(["footfall/kafka"], None, ("files",)), [])

    def test_an_unknown_engine_is_named_with_those_that_exist(self):
        with self.assertRaisesRegex(UnknownEngine, "no engine 'dukdb'; there are .*duckdb, duckdb/lines"):
            choose(all_engines(), ["dukdb"], None, ("files",))
