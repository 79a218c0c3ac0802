"""One typed, frozen set of settings per verb. Key names are the same in every verb.

Each default says where it comes from where that is not obvious; docs/methods.md has the papers.
"""

from humanalign.settings.align import (
    AlignConfig,
    KlSettings,
    MixSettings,
    RewardCheck,
    StopSettings,
    ValueSettings,
)
from humanalign.settings.evaluate import EvaluateConfig
from humanalign.settings.monitor import MonitorSettings
from humanalign.settings.parts import (
    CheckpointSettings,
    Decoding,
    LoraSettings,
    ReadsPrompts,
    Samples,
    Trains,
)
from humanalign.settings.redteam import RedteamConfig, SearchSettings
from humanalign.settings.reward import RewardConfig
from humanalign.settings.verbs import (
    ChatConfig,
    CollectConfig,
    DemoConfig,
    ExportConfig,
    InitConfig,
    JudgeConfig,
    LabelConfig,
    ListConfig,
    LoopConfig,
    PairsConfig,
    PreferConfig,
    ReportConfig,
    ReviseConfig,
    RoundSettings,
    ScoreConfig,
    SftConfig,
    ShowConfig,
    VerifyConfig,
    WatchConfig,
)

__all__ = [
    "AlignConfig",
    "ChatConfig",
    "CheckpointSettings",
    "CollectConfig",
    "Decoding",
    "DemoConfig",
    "EvaluateConfig",
    "ExportConfig",
    "InitConfig",
    "JudgeConfig",
    "KlSettings",
    "LabelConfig",
    "ListConfig",
    "LoopConfig",
    "LoraSettings",
    "MixSettings",
    "MonitorSettings",
    "PairsConfig",
    "PreferConfig",
    "ReadsPrompts",
    "RedteamConfig",
    "ReportConfig",
    "ReviseConfig",
    "RewardCheck",
    "RewardConfig",
    "RoundSettings",
    "Samples",
    "ScoreConfig",
    "SearchSettings",
    "SftConfig",
    "ShowConfig",
    "StopSettings",
    "Trains",
    "ValueSettings",
    "VerifyConfig",
    "WatchConfig",
]
