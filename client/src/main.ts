// Entry of the page.

import './css/index.css'
import { createClient } from './api/client'
import { createApp } from './app'
import { automate } from './automation'
import { applyTheme, savedTheme } from './viewer/theme'

applyTheme(savedTheme())
const root = document.getElementById('app')
if (root) window.visiomatic = automate(createApp(root, createClient(document.baseURI)))
