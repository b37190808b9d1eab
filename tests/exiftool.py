"""exiftool as the judge of what a file says, and as the writer of files that say much."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

EXIFTOOL = shutil.which("exiftool")
needs_exiftool = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")

Tags = dict[str, list[str]]

# What a photographer, a catalogue or a camera writes; -n: as numbers.
RICH = """
-IFD0:Make=Lucida -IFD0:Model=Obscura 7 -IFD0:Artist=Zoë Ångström -IFD0:Copyright=(c) 2024 Zoë
-IFD0:Software=Obscura 7 Ver.1.02 -IFD0:ImageDescription=A harbour -IFD0:ModifyDate=2024:05:06 10:11:12
-IFD0:XPKeywords=sea;boat -IFD0:Rating=4 -IFD0:RatingPercent=75 -IFD0:HostComputer=a laptop
-IFD0:ProcessingSoftware=desk 3
-ExifIFD:DateTimeOriginal=2024:05:06 07:08:09 -ExifIFD:CreateDate=2024:05:06 07:08:09
-ExifIFD:OffsetTimeOriginal=+02:00 -ExifIFD:SubSecTimeOriginal=047 -ExifIFD:ExposureTime=0.004
-ExifIFD:FNumber=5.6 -ExifIFD:ISO=200 -ExifIFD:FocalLength=35 -ExifIFD:LensModel=35mm F1.4
-ExifIFD:LensMake=Lucida -ExifIFD:LensInfo=35 35 1.4 1.4 -ExifIFD:LensSerialNumber=L123
-ExifIFD:SerialNumber=B456 -ExifIFD:OwnerName=Zoë -ExifIFD:UserComment=Grüße -ExifIFD:ColorSpace=65535
-ExifIFD:ImageUniqueID=0123456789abcdef0123456789abcdef -ExifIFD:Flash=16 -ExifIFD:Contrast=1
-InteropIndex=R98 -GPS:GPSLatitude=52.520008 -GPS:GPSLatitudeRef=N -GPS:GPSLongitude=13.404954
-GPS:GPSLongitudeRef=E -GPS:GPSAltitude=34.5 -GPS:GPSAltitudeRef=0 -GPS:GPSDateStamp=2024:05:06
-GPS:GPSTimeStamp=05:08:09 -GPS:GPSImgDirection=271.5 -GPS:GPSImgDirectionRef=T -GPS:GPSMapDatum=WGS-84
-XMP-dc:Title=Harbour -XMP-dc:Title-de=Hafen -XMP-dc:Description=Boats & <ropes> -XMP-dc:Subject=sea
-XMP-dc:Subject=boat -XMP-dc:Creator=Zoë Ångström -XMP-xmp:Rating=4 -XMP-xmp:Label=Green
-XMP-xmp:CreateDate=2024:05:06 07:08:09.047+02:00 -XMP-lr:HierarchicalSubject=places|sea
-XMP-photoshop:City=Berlin -XMP-photoshop:Country=Germany -XMP-iptcCore:Location=Old pier
-XMP-iptcExt:LocationShownCity=Berlin -XMP-iptcExt:LocationShownSublocation=Old pier
-XMP-iptcExt:LocationShownGPSLatitude=52.520008 -XMP-iptcExt:LocationShownGPSLongitude=13.404954
-XMP-exif:GPSLatitude=52.520008 -XMP-exif:GPSLongitude=13.404954 -XMP-aux:Lens=35mm F1.4
-XMP-xmpRights:Marked=True -XMP-xmpRights:UsageTerms=ask -XMP-xmpMM:DocumentID=xmp.did:1
-XMP-xmpMM:HistoryAction=saved -XMP-xmpMM:HistorySoftwareAgent=Darkroom 9 -XMP-crs:Exposure2012=+0.35
-XMP-digiKam:TagsList=places/sea -XMP-GCamera:BurstID=b1
-IPTC:CodedCharacterSet=UTF8 -IPTC:City=Berlin -IPTC:Sub-location=Old pier -IPTC:Keywords=sea
-IPTC:Keywords=boat -IPTC:By-line=Zoë Ångström -IPTC:Caption-Abstract=Boats -IPTC:DateCreated=2024:05:06
-IPTC:CopyrightNotice=(c) 2024 Zoë -Photoshop:CopyrightFlag=True -Comment=a comment, Grüße
"""
# Those of the file's making, which a new file has anew.
_OF_THE_FILE = {"File", "ExifTool", "System", "JFIF", "RIFF", "QuickTime", "Meta", "SourceFile", "Composite"}
_OF_THE_PIXELS = {
    "ImageWidth ImageHeight BitsPerSample Compression PhotometricInterpretation SamplesPerPixel RowsPerStrip",
    "StripOffsets StripByteCounts PlanarConfiguration Predictor YCbCrPositioning ThumbnailOffset",
    "ThumbnailLength ThumbnailImage SubfileType SampleFormat BitDepth ColorType Filter Interlace",
}
_NOT_COMPARED = {name for line in _OF_THE_PIXELS for name in line.split()}


def rich(*paths: Path) -> None:
    """Write `RICH` into these files, each as far as its format holds it."""
    words = [f"-{option}".strip() for option in RICH.replace("\n", " ").strip()[1:].split(" -")]
    command = [str(EXIFTOOL), "-q", "-q", "-m", "-n", "-overwrite_original", *words, *map(str, paths)]
    subprocess.run(command, check=True)


def tags(*paths: Path) -> list[Tags]:
    """ "Group:Tag" -> every value, of each file. What a PNG and a JPEG call a comment has one name here.

    So has IPTC that stands in a TIFF twice, where either kind of program looks.
    """
    command = [str(EXIFTOOL), "-j", "-n", "-a", "-u", "-b", "-struct", "-G1:4", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, check=True)
    return [_merged(said) for said in json.loads(done.stdout)]


def _merged(said: dict[str, object]) -> Tags:
    found: dict[str, set[str]] = {}
    for key, value in said.items():
        group, _, name = key.partition(":")
        name = name.rpartition(":")[2]
        if name == "Comment" and group in ("File", "PNG"):
            group = "Comment"
        group = "IPTC" if group == "IPTC2" else group
        if group not in _OF_THE_FILE and name not in _NOT_COMPARED:
            found.setdefault(f"{group}:{name}", set()).add(json.dumps(value, sort_keys=True))
    return {key: sorted(values) for key, values in found.items()}
