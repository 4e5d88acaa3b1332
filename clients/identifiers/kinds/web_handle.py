"""Handles on platforms: "platform:handle", read from a handle, from "platform: handle" or from a profile's address.

A handle without a platform is refused, unless the mapping gives one for the column; it may be "any", which matches
only other handles of "any". No network: short links are not followed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from clients.identifiers.kind import Hints, Kind, Part, Unusable

_NAMES = {
    "facebook": ("facebook", "fb"),
    "instagram": ("instagram", "insta", "ig"),
    "twitter": ("twitter", "x"),
    "tiktok": ("tiktok", "tik tok", "douyin"),
    "telegram": ("telegram", "tg"),
    "snapchat": ("snapchat", "snap"),
    "linkedin": ("linkedin",),
    "youtube": ("youtube", "yt"),
    "reddit": ("reddit",),
    "vk": ("vk", "vkontakte"),
    "onlyfans": ("onlyfans", "of"),
    "skype": ("skype",),
    "wechat": ("wechat", "weixin"),
    "line": ("line",),
    "discord": ("discord",),
    "github": ("github",),
    "pinterest": ("pinterest",),
    "threads": ("threads",),
    "twitch": ("twitch",),
    "any": ("any",),
}
_PLATFORMS = {name: platform for platform, names in _NAMES.items() for name in names}
_HOSTS = {
    **{f"{platform}.com": platform for platform in _NAMES if platform not in ("any", "line")},
    "fb.com": "facebook",
    "x.com": "twitter",
    "t.me": "telegram",
    "telegram.me": "telegram",
    "threads.net": "threads",
    "twitch.tv": "twitch",
    "vk.ru": "vk",
}
# What stands before the handle in a profile's path, and what in its place is no handle.
_PREFIXES = {"linkedin": ("in",), "reddit": ("user", "u"), "snapchat": ("add",), "youtube": ("c", "user", "channel")}
_NO_HANDLES = frozenset(
    [
        "p",
        "reel",
        "reels",
        "stories",
        "explore",
        "watch",
        "groups",
        "pages",
        "events",
        "share",
        "sharer",
        "hashtag",
        "search",
        "i",
        "home",
        "status",
        "login",
        "s",
        "joinchat",
        "c",
        "channel",
        "playlist",
        "shorts",
        "video",
        "tag",
        "r",
        "company",
        "school",
        "jobs",
        "feed",
        "posts",
        "marketplace",
        "photo",
        "photos",
    ]
)
_PLATFORM_NAME = re.compile(r"(?=.{2,40}$)[a-z0-9]+(?:-[a-z0-9]+)*", re.ASCII)
_HANDLE = re.compile(r"[^\s:/?#@|<>\"]{2,100}")
_LABELLED = re.compile(r"([A-Za-z0-9.-]{1,40}(?: [A-Za-z]{1,10})?)\s?[:/]\s?@?([^\s/:]+)")
_ADDRESS = re.compile(
    r"(?:https?://)?(?:(?:www|m|mobile|web|[a-z]{2}(?:-[a-z]{2})?)\.)?([a-z0-9-]+\.[a-z]{2,3})/", re.I
)


def normalise(parts: Mapping[str, str], hints: Hints) -> str:
    """ "platform:handle" in lower case without an "@", e.g. "instagram:anna.example"."""
    text = parts["handle"]
    address = _ADDRESS.match(text)
    if address:
        return _from_address(text, address[1].lower())
    if "://" in text:
        raise Unusable("platform", "handle")
    labelled = _LABELLED.fullmatch(text)
    if labelled:
        return _named(_platform(labelled[1], "handle"), labelled[2])
    if "platform" not in parts:
        raise Unusable("no-platform", "platform")
    return _named(_platform(parts["platform"], "platform"), text.removeprefix("@"))


def _platform(text: str, part: str) -> str:
    lower = text.lower().removesuffix(".com")
    platform = _PLATFORMS.get(lower, lower)
    if not _PLATFORM_NAME.fullmatch(platform):
        raise Unusable("platform", part)
    return platform


def _from_address(text: str, host: str) -> str:
    platform = _HOSTS.get(host)
    if platform is None:
        raise Unusable("platform", "handle")
    try:
        found = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        raise Unusable("format", "handle") from None
    steps = [step for step in unquote(found.path).split("/") if step]
    if platform == "facebook" and steps[:1] == ["profile.php"]:
        steps = parse_qs(found.query).get("id", [""])[:1]
    elif len(steps) > 1 and steps[0].lower() in _PREFIXES.get(platform, ()):
        steps = steps[1:]
    if not steps or steps[0].lower() in _NO_HANDLES:
        raise Unusable("not-a-profile", "handle")
    return _named(platform, steps[0].removeprefix("@"))


def _named(platform: str, handle: str) -> str:
    lower = handle.lower()
    if not _HANDLE.fullmatch(lower):
        raise Unusable("format", "handle")
    return f"{platform}:{lower}"


def split(value: str) -> dict[str, str]:
    """Platform and handle."""
    platform, _, handle = value.partition(":")
    return {"platform": platform, "handle": handle}


KIND = Kind(
    name="web-handle",
    version=1,
    parts=(
        Part("handle", 'the handle, "platform: handle" or the address of a profile'),
        Part(
            "platform",
            'the platform of a handle that stands alone; "any" where it is not known',
            context=True,
            literal=True,
        ),
    ),
    forms=(("handle",),),
    normalise=normalise,
    split=split,
)
