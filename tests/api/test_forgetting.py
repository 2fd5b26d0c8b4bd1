"""A person is forgotten: gone wherever they could be found, while all else stays as it was."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from fastapi import FastAPI
from psycopg.sql import SQL, Identifier

from api.app import build_app
from api.bootstrap import running_services
from api.services import provide
from infra.access import ROLES
from infra.database import Database
from infra.master_key import MasterKey
from infra.projecting import ProjectionRunner
from tests.api.conftest import DAY, Json, Studio, assert_problem
from tests.log.proven import proven_log

ADA = {"id": "canary-id-71", "name": "Canary Lovelace", "email": "canary@ada.example"}
BOB = {"id": "bob-1", "name": "Bob"}
WINDOW = f"from={DAY}T00:00:00Z&to={DAY}T23:00:00Z"
